/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `phonehome doctor`: checks of the machine, each one line: ok, warn or fail, what was found, and
 * the command that mends it. A check is a function and a row in the table of cmd_doctor.c; it reads
 * /proc and /sys, never changes anything, and needs no rights to run (it says so when it sees less
 * without).
 */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "ctl/cli.h"

enum doctor_level { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_WARN, DOCTOR_FAIL };

enum { DOCTOR_PORTS_MAX = 32 };

struct doctor_port {
	char device[512], name[64]; /* the device string; its first part */
	char iface[IFNAMSIZ];	    /* the kernel's interface that it reads, or "" */
	bool pci;		    /* name is a PCI address */
	int peer;		    /* index of the pair's other port, -1: a mirror port */
	const json_t *status;	    /* what the daemon says of it, or NULL */
};

/* This sensor: ports as the running daemon has them, else as the config does. */
struct doctor_site {
	const char *config; /* NULL: there is none */
	int config_error;
	char config_fault[512];
	char store[512], password_file[512], policy[512], packs[512], socket[128];
	const char *at; /* the daemon's socket */
	int daemon_error;
	char daemon_fault[512];
	json_t *status; /* NULL: no daemon answers */
	int workers;	/* 0: not known */
	struct doctor_port ports[DOCTOR_PORTS_MAX];
	unsigned n_ports;
};
/* config: NULL for the usual place, where it may be missing. */
void doctor_site_load(struct doctor_site *s, const struct ctl_common *common, const char *config);
void doctor_site_free(struct doctor_site *s);

struct doctor_case {
	const struct ctl_common *common;
	const struct doctor_site *site;
	const char *const
	    *devices;	  /* PCI addresses and interface names that the user named; NULL-ended */
	const char *root; /* "" or, in tests, a folder that stands for / */
	/* Adds a line. mend: a command or advice, NULL when none is needed. */
	void (*say)(
	    struct doctor_case *c, enum doctor_level level, const char *found, const char *mend);
	const char *check; /* name of the check under way */
	void *ctx;
};

typedef void doctor_fn(struct doctor_case *c);

doctor_fn doctor_hugepages, doctor_iommu, doctor_numa, doctor_isolation, doctor_governor;
doctor_fn doctor_drivers, doctor_mtu, doctor_offloads, doctor_rss;
doctor_fn doctor_config, doctor_permissions, doctor_daemon, doctor_store, doctor_clock,
    doctor_packs;

/* --- for checks --- */

/* A small file below root, without its last newline. 0 or -errno. */
int doctor_read(const struct doctor_case *c, char *out, size_t cap, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A whole number that a file holds, or `otherwise`. */
long doctor_number(const struct doctor_case *c, long otherwise, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void doctor_say(struct doctor_case *c, enum doctor_level level, const char *mend, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));

#endif
