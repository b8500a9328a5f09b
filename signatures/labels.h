/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the labels of a host say of its function, for the zones of which a pack knows no more than
 * whose they are, or what most of their hosts are for (`by_label`): `dl3.eu.vendor.example`
 * fetches, whoever the vendor is. One list for all packs, judged by their hosts; see
 * signatures/README.md, "By label".
 */
#ifndef SIGNATURES_LABELS_H
#define SIGNATURES_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signatures/facts.h"

/* The functions that labels tell, in the order of their derived signatures. */
enum { LABEL_FUNCTIONS = 8 };
extern const uint8_t label_functions[LABEL_FUNCTIONS]; /* enum sig_function */

/* Whose hosts stand in the zone that the labels are left of. */
enum labels_zone {
	LABELS_OF_AGENTS,
	LABELS_OF_PAGES, /* a signature of `portal` is about it: a console, a tenant, a part of a
			    site */
	LABELS_OF_SITE,	 /* likewise, and it is a domain as one registers it: a web site's whole */
};

/* One label of the name that was given; or all of them, with their dots: how many there are tells.
 */
struct label {
	const char *text;
	size_t len;
};

/*
 * `labels`: what stands left of the zone, canonical, without the last dot. Read from the left, the
 * first label that the list knows decides (`api` only when none behind it says more,
 * signatures/README.md): 1 + its index in label_functions, and the label in *ret_label; or 0, when
 * no label is known. Among pages a word for pages says nothing new (0), and more words are for
 * pages (`events`) or tell nothing (`static`). In a whole site a name that no label explains is
 * `management` when two labels or more stand before the domain, none of them a page's. Any thread;
 * allocates nothing; time bounded by the list's length times that of the labels.
 */
unsigned
labels_tell(const char *labels, size_t len, enum labels_zone zone, struct label *ret_label);

/*
 * Does a label that tells `to` change what a zone of function `from` says? Of a zone for pages, or
 * for several things, always. Of others, where `api` or `query` only says how the same thing is
 * asked, when it fetches, activates or is read by people, and of management when it reports or
 * tunnels.
 */
bool labels_refine(enum sig_function from, enum sig_function to);

/*
 * The id of what labels made of a signature is that signature's with `-label-FUNCTION` behind it.
 * How long the signature's own is; 0: this is no such id.
 */
size_t labels_parent(const char *id);

#endif
