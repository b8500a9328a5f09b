/* SPDX-License-Identifier: Apache-2.0 */
/* The one file that includes nDPI, and all that differs between its versions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ndpi/ndpi_api.h>
#include <ndpi/ndpi_main.h>
#include <ndpi/ndpi_typedefs.h>

#include "classifier/engine.h"
#include "classifier/engine_ndpi.h"

/* ndpiReader's own limits: after so many packets it gives up too. */
enum { TCP_PACKETS_MAX = 80, UDP_PACKETS_MAX = 24 };

struct clf_ndpi_flow {
	struct clf_ndpi_flow *next;
	uint16_t packets;
	bool began, tcp;
	/* struct ndpi_flow_struct follows, of the size that the library says */
};

struct clf_ndpi {
	struct ndpi_detection_module_struct *module;
	uint8_t *slots;
	size_t slot_bytes, flow_bytes;
	unsigned max, used;
	struct clf_ndpi_flow *free_list;
};

static struct ndpi_flow_struct *
inner(const struct clf_ndpi_flow *f)
{
	enum { HEAD = (sizeof(struct clf_ndpi_flow) + 15) & ~15 };

	return (struct ndpi_flow_struct *)(void *)((uint8_t *)(uintptr_t)f + HEAD);
}

static struct ndpi_detection_module_struct *
module_new(void)
{
#if NDPI_MAJOR >= 5
	struct ndpi_detection_module_struct *m = ndpi_init_detection_module(NULL);
#else
	struct ndpi_detection_module_struct *m = ndpi_init_detection_module(ndpi_no_prefs);
#endif
	NDPI_PROTOCOL_BITMASK all;

	if (!m)
		return NULL;
	NDPI_BITMASK_SET_ALL(all);
	ndpi_set_protocol_detection_bitmask2(m, &all);
	ndpi_finalize_initialization(m);
	return m;
}

static ndpi_protocol
packet(struct clf_ndpi *n, struct ndpi_flow_struct *f, const uint8_t *l3, uint16_t len,
    uint64_t now_us)
{
#if NDPI_MAJOR > 4 || (NDPI_MAJOR == 4 && NDPI_MINOR >= 4)
	return ndpi_detection_process_packet(n->module, f, l3, len, now_us / 1000, NULL);
#else
	return ndpi_detection_process_packet(n->module, f, l3, len, now_us / 1000);
#endif
}

static ndpi_protocol
giveup(struct clf_ndpi *n, struct ndpi_flow_struct *f, uint8_t *guessed)
{
#if NDPI_MAJOR >= 5 || (NDPI_MAJOR == 4 && NDPI_MINOR >= 10)
	return ndpi_detection_giveup(n->module, f, guessed);
#else
	return ndpi_detection_giveup(n->module, f, 1, guessed);
#endif
}

int
clf_ndpi_new(unsigned max_flows, struct clf_ndpi **ret_ndpi)
{
	struct clf_ndpi *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->max = max_flows;
	n->flow_bytes = ndpi_detection_get_sizeof_ndpi_flow_struct();
	n->slot_bytes = (((sizeof(struct clf_ndpi_flow) + 15) & ~(size_t)15) + n->flow_bytes + 63) &
			~(size_t)63;
	n->module = module_new();
	n->slots = aligned_alloc(64, n->slot_bytes * max_flows);
	if (!n->module || !n->slots) {
		clf_ndpi_free(n);
		return -ENOMEM;
	}
	*ret_ndpi = n;
	return 0;
}

void
clf_ndpi_free(struct clf_ndpi *n)
{
	if (!n)
		return;
	if (n->module)
		ndpi_exit_detection_module(n->module);
	free(n->slots);
	free(n);
}

struct clf_ndpi_flow *
clf_ndpi_open(struct clf_ndpi *n)
{
	struct clf_ndpi_flow *f = n->free_list;

	if (f)
		n->free_list = f->next;
	else if (n->used < n->max)
		f = (struct clf_ndpi_flow *)(void *)(n->slots + n->slot_bytes * n->used++);
	else
		return NULL;
	memset(f, 0, sizeof(*f));
	memset(inner(f), 0, n->flow_bytes);
	return f;
}

void
clf_ndpi_close(struct clf_ndpi *n, struct clf_ndpi_flow *f)
{
	if (!f)
		return;
	ndpi_free_flow_data(inner(f));
	f->next = n->free_list;
	n->free_list = f;
}

static void
verdict_of(ndpi_protocol p, struct clf_ndpi_verdict *ret)
{
	ret->master = p.master_protocol;
	ret->app = p.app_protocol;
}

void
clf_ndpi_packet(struct clf_ndpi *n, struct clf_ndpi_flow *f, const uint8_t *l3, uint16_t len,
    uint64_t now_us, bool up, struct clf_ndpi_verdict *ret)
{
	unsigned protocol = len > 9 ? (l3[0] >> 4 == 4 ? l3[9] : l3[6]) : 0;
	(void)up; /* nDPI takes the first packet's sender for the client */

	f->tcp = protocol == 6;
	f->packets++;
	ndpi_protocol p = packet(n, inner(f), l3, len, now_us);
	bool enough = f->packets > (f->tcp ? TCP_PACKETS_MAX : UDP_PACKETS_MAX);

	verdict_of(p, ret);
	ret->guessed = false;
	ret->final = enough || (p.app_protocol != NDPI_PROTOCOL_UNKNOWN &&
				   !ndpi_extra_dissection_possible(n->module, inner(f)));
	if (ret->final && p.app_protocol == NDPI_PROTOCOL_UNKNOWN)
		clf_ndpi_giveup(n, f, ret);
}

void
clf_ndpi_giveup(struct clf_ndpi *n, struct clf_ndpi_flow *f, struct clf_ndpi_verdict *ret)
{
	uint8_t guessed = 0;

	verdict_of(giveup(n, inner(f), &guessed), ret);
	ret->final = true;
	ret->guessed = guessed != 0;
}

size_t
clf_ndpi_label(const struct clf_ndpi *n, const struct clf_ndpi_verdict *v, char *out, size_t cap)
{
	ndpi_protocol p = { .master_protocol = v->master, .app_protocol = v->app };

	if (cap == 0)
		return 0;
	out[0] = '\0';
	ndpi_protocol2name(n->module, p, out, (unsigned)cap);
	return strnlen(out, cap);
}

const char *
clf_ndpi_version(void)
{
	return ndpi_revision();
}
