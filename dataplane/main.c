/* SPDX-License-Identifier: Apache-2.0 */
/*
 * phonehomed: boots from top to bottom, waits, and tears down in reverse.
 *
 * Exit codes: 0 done; 1 failed at run time; 2 the command line or a file that a person wrote is
 * wrong (`file:line:col: text`).
 */
#include <errno.h>
#include <rte_eal.h>
#include <rte_pdump.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <poll.h>

#include "dataplane/link.h"
#include "dataplane/machine.h"
#include "dataplane/plane.h"
#include "dataplane/unplug.h"
#include "signatures/base/fds.h"

enum { EXIT_DONE, EXIT_FAILED, EXIT_WRONG };
enum { TICK_MS = 100, TICK_REPLAY_MS = 10 };

static int check_only(const struct dp_config *config);
static int boot(struct dp_plane *plane, struct sig_diag *diag);
static int wait_and_serve(struct dp_plane *plane);
static int tear_down(struct dp_plane *plane);

static int
fail(struct sig_diag *diag, int rc)
{
	sig_diag_print(diag, stderr);
	sig_diag_free(diag);
	return rc == -EINVAL || rc == -ENOENT || rc == -EBADMSG ? EXIT_WRONG : EXIT_FAILED;
}

int
main(int argc, char **argv)
{
	static struct dp_plane plane;
	struct dp_options options = { 0 };
	struct dp_config *config = NULL;
	struct sig_diag diag = { 0 };
	int rc;

	sig_fds_guard();
	umask(027); /* records, evidence, stores: who called whom is not for everybody to read */
	rc = dp_options_parse(argc, argv, &options, &diag);
	if (rc < 0) {
		fail(&diag, rc);
		return EXIT_WRONG;
	}
	if (options.help || options.version) {
		printf("%s", options.help ? dp_usage() : "phonehomed " PHONEHOME_VERSION "\n");
		return EXIT_DONE;
	}
	rc = dp_config_load(&options, &config, &diag);
	if (rc < 0) {
		fail(&diag, rc);
		return EXIT_WRONG;
	}
	plane.config = config;
	if (config->check) {
		rc = check_only(config);
		dp_config_free(config);
		return rc;
	}
	rc = boot(&plane, &diag);
	rc = rc < 0 ? fail(&diag, rc) : wait_and_serve(&plane);
	int unsaved = tear_down(&plane);
	dp_config_free(config);
	return rc != EXIT_DONE ? rc : unsaved;
}

/* --check: config, packs and policy are good, or what is wrong. */
static int
check_only(const struct dp_config *config)
{
	struct sig_diag diag = { 0 };
	struct dp_rules *rules = NULL;
	int rc = dp_machine_check(config, &diag);

	if (rc == 0)
		rc = dp_rules_load(config->packs, config->policy, &rules, &diag);
	sig_diag_print(&diag, stderr);
	sig_diag_free(&diag);
	if (rc < 0)
		return EXIT_WRONG;
	printf("good: %u links, %u workers, %u signatures\n", config->links_count, config->workers,
	    sig_ruleset_count(rules->rules));
	dp_rules_free(rules);
	return EXIT_DONE;
}

static int
load_rules(struct dp_plane *plane, struct sig_diag *diag)
{
	struct dp_rules *rules = NULL;
	int rc = dp_rules_slot_init(&plane->slot, plane->config->workers);

	if (rc == 0)
		rc = dp_rules_load(plane->config->packs, plane->config->policy, &rules, diag);
	if (rc < 0)
		return rc == -ENOMEM ? rc : -EINVAL;
	return dp_rules_publish(&plane->slot, rules);
}

/* Everything that a person can get wrong comes before DPDK starts, which takes a second. */
static int
boot(struct dp_plane *plane, struct sig_diag *diag)
{
	const struct dp_config *c = plane->config;
	sigset_t signals;
	int rc;

	/* Threads inherit the mask: signals come to wait_and_serve() alone. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	if (c->test_hooks)
		sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	plane->started_us = dp_clock_read(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < c->links_count; i++) {
		const struct dp_link_config *l = &c->links[i];
		if ((l->mirror && dp_replay_check(l->mirror, diag) < 0) ||
		    (l->pair && (dp_replay_check(l->pair[0], diag) < 0 ||
				    dp_replay_check(l->pair[1], diag) < 0)))
			return -EINVAL;
	}
	rc = dp_machine_check(c, diag);
	if (rc == 0)
		rc = load_rules(plane, diag);
	if (rc == 0)
		rc = dp_control_open(plane, diag);
	if (rc == 0)
		rc = dp_eal_start(c, &plane->eal, diag);
	if (rc == 0)
		rc = dp_ports_open(c, &plane->eal, &plane->ports, diag);
	if (rc == 0)
		rc = dp_workers_new(plane, diag);
	if (rc == 0)
		dp_workers_remember(plane);
	if (rc == 0)
		rc = dp_recorder_open(
		    c, plane->workers, plane->n_workers, &plane->ports, &plane->recorder, diag);
	if (rc == 0 && c->pdump != DP_OFF && rte_pdump_init() < 0)
		fprintf(stderr, "phonehomed: packet dumps are not to be had: %s\n",
		    rte_strerror(rte_errno));
	if (rc == 0)
		rc = dp_recorder_start(plane->recorder);
	if (rc == 0)
		rc = dp_reload_start(plane);
	if (rc == 0)
		rc = dp_control_start(plane);
	if (rc == 0)
		dp_telemetry_start(plane);
	if (rc == 0)
		rc = dp_workers_launch(plane);
	if (rc == 0)
		rc = dp_watchdog_start(plane);
	if (rc < 0 && diag->errors == 0)
		sig_diag_add(diag, SIG_ERROR, NULL, 0, 0, "cannot start: %s", strerror(-rc));
	return rc;
}

static void
tell_ready(const struct dp_plane *plane)
{
	const struct dp_config *c = plane->config;

	fprintf(stderr,
	    "phonehomed: ready: sensor %s, %u port%s, %u worker%s, %u signatures, %s, socket %s\n",
	    c->sensor, plane->ports.n, plane->ports.n == 1 ? "" : "s", plane->n_workers,
	    plane->n_workers == 1 ? "" : "s",
	    sig_ruleset_count(dp_rules_active(&plane->slot)->rules), plane->eal.memory,
	    c->control.socket);
	dp_sd_notify("READY=1\nSTATUS=forwarding");
}

/* Replay: the files were read; everything is counted, flushed and, unless the store is away, stored
 * before anyone is told. */
static int
finish_replay(struct dp_plane *plane)
{
	char fault[4400];

	dp_watchdog_stop(plane);
	dp_workers_stop(plane);
	dp_recorder_finish(plane->recorder);
	atomic_store(&plane->drained, true);
	if (!dp_ports_replay_fault(&plane->ports, fault, sizeof(fault)))
		return EXIT_DONE;
	fprintf(stderr, "%s\n", fault);
	return EXIT_FAILED;
}

/* test_hooks: an engine that hangs for a while, for the tests of the watchdog and of overload. The
 * signal's value, where it has one: the worker, and above its 8 bits the milliseconds. */
static void
stall_a_worker(struct dp_plane *plane, const struct signalfd_siginfo *got)
{
	uint32_t value = got->ssi_code == SI_QUEUE ? (uint32_t)got->ssi_int : 3000u << 8;
	struct dp_worker *w = &plane->workers[(value & 0xff) % plane->n_workers];

	atomic_store(&w->stall_ms, value >> 8);
	atomic_fetch_or(&w->asked, DP_ASK_STALL);
}

static int
wait_and_serve(struct dp_plane *plane)
{
	const struct dp_config *c = plane->config;
	struct signalfd_siginfo got;
	sigset_t signals;
	int rc = EXIT_DONE;

	sigprocmask(SIG_BLOCK, NULL, &signals);
	struct pollfd fd = { .fd = signalfd(-1, &signals, SFD_CLOEXEC), .events = POLLIN };
	if (fd.fd < 0)
		return EXIT_FAILED;
	atomic_store(&plane->ready, true);
	tell_ready(plane);
	while (!atomic_load(&plane->stop)) {
		int n = poll(&fd, 1, plane->ports.replay ? TICK_REPLAY_MS : TICK_MS);
		if (n > 0 && read(fd.fd, &got, sizeof(got)) == sizeof(got)) {
			if (got.ssi_signo == SIGHUP)
				dp_reload_ask(plane);
			else if (got.ssi_signo == SIGUSR1)
				stall_a_worker(plane, &got);
			else
				break;
		}
		dp_unplug_poll(plane);
		dp_ports_poll_links(&plane->ports);
		if (c->exit_when_drained && !atomic_load(&plane->drained) &&
		    dp_ports_drained(&plane->ports) && dp_workers_settled(plane)) {
			rc = finish_replay(plane);
			if (!c->linger)
				break;
		}
	}
	close(fd.fd);
	dp_sd_notify("STOPPING=1");
	return rc;
}

/* The exit code: a replay whose result is not in the store has failed. */
static int
tear_down(struct dp_plane *plane)
{
	char fault[1024];
	int rc = EXIT_DONE;

	dp_watchdog_stop(plane);
	if (plane->workers && !atomic_load(&plane->drained))
		dp_workers_stop(plane);
	if (atomic_load(&plane->ready))
		dp_workers_keep(plane);
	dp_recorder_stop(plane->recorder);
	if (plane->recorder && dp_recorder_unsaved(plane->recorder, fault, sizeof(fault))) {
		fprintf(stderr, "phonehomed: %s\n", fault);
		rc = plane->ports.replay ? EXIT_FAILED : rc;
	}
	dp_control_stop(plane);
	dp_reload_stop(plane);
	dp_control_close(plane);
	dp_recorder_close(plane->recorder);
	dp_workers_free(plane);
	if (plane->slot.qsbr)
		dp_rules_slot_fini(&plane->slot);
	if (plane->ports.pool) {
		(void)rte_pdump_uninit();
		dp_ports_close(&plane->ports);
	}
	if (plane->eal.prefix[0] != '\0')
		dp_eal_stop();
	return rc;
}
