/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: a burst of raw frames in, verdicts and events out. One engine per worker; it knows
 * neither DPDK nor files. Two feeders call it: dataplane/worker.c and ctl/cmd_scan.c.
 *
 *   set-up (allocates): clf_engine_new(), clf_engine_free()
 *   owner thread only:  clf_burst(), clf_tick(), clf_flush(), clf_engine_set_rules()
 *   any thread:         clf_engine_stats() (plain counters, one writer, may be a little old)
 *
 * Time is what the frames and `now_us` say, made monotone; the engine reads no clock.
 */
#ifndef CLASSIFIER_ENGINE_H
#define CLASSIFIER_ENGINE_H

#include "classifier/event.h"
#include "classifier/pkt.h"
#include "classifier/policy.h"
#include "signatures/base/diag.h"
#include "signatures/ruleset.h"

struct clf_engine;

enum clf_ndpi_mode { CLF_NDPI_UNDECIDED, CLF_NDPI_ALL, CLF_NDPI_OFF };

struct clf_net { /* a network; IPv4 as 4 bytes */
	uint8_t addr[16];
	uint8_t ip_version, prefix;
};

/* Takes an event; must not block. False: no room, the engine counts it as lost. */
typedef bool clf_sink_fn(void *ctx, const struct clf_event *event);
/* All bytes of a frame whose CLF_FRAME_MORE is set, copied to buf; returns the length. */
typedef uint32_t clf_flatten_fn(const struct clf_frame *frame, uint8_t *buf, uint32_t cap);

struct clf_engine_config {
	uint16_t worker;	 /* goes into flow ids */
	uint32_t max_flows;	 /* flow table entries; power of two not needed */
	uint32_t max_inspecting; /* flows under inspection at once */
	size_t stream_bytes;	 /* pool for reassembly */
	uint32_t max_fragments;	 /* datagrams under way */
	uint32_t dns_memory_entries;
	struct clf_dns_share *dns_share; /* with other workers; borrowed; NULL: alone */
	uint32_t crypto_budget; /* QUIC decryptions per millisecond of now_us; 0 no limit */
	uint32_t tcp_idle_s, udp_idle_s, tcp_closed_s, inspect_s; /* time-outs; 0 = default */
	enum clf_ndpi_mode ndpi;
	bool trust_checksums; /* ignore segments with bad checksums (not on offload captures) */
	bool walk_tunnels;
	bool flow_ids; /* matched flows' results carry their id (evidence): one more cache line read
			*/
	bool ja3;      /* always compute JA3/JA4, not only where a signature asks */
	const struct clf_net *inside; /* copied; none: RFC 1918, 4193, 3927, 6598, fe80::/10 */
	unsigned n_inside;
	const struct clf_net *forwarders; /* hosts known to speak for others; copied */
	unsigned n_forwarders;
	uint64_t seed[2]; /* of all hashes; 0,0: drawn from the kernel */
	clf_sink_fn *sink;
	clf_flatten_fn *flatten; /* NULL: frames are always whole */
	void *sink_ctx;
	void *(*huge_alloc)(size_t bytes, size_t align, void *ctx); /* NULL: mmap with THP advice */
	void (*huge_free)(void *p, size_t bytes, void *ctx);
	void *alloc_ctx;
};

/* Sensible values for a scan of any capture. */
void clf_engine_config_default(struct clf_engine_config *config);

/* rules and policy are borrowed until replaced or the engine is freed. 0 or -errno and diag. */
int clf_engine_new(const struct clf_engine_config *config, const struct sig_ruleset *rules,
    const struct clf_policy *policy, struct clf_engine **ret_engine, struct sig_diag *diag);
void clf_engine_free(struct clf_engine *engine);

/* From the next burst on. Decided flows keep their verdict, undecided ones use the new rules. No
 * pointer into the old set survives this call. May allocate (scratch): between bursts only. */
int clf_engine_set_rules(
    struct clf_engine *engine, const struct sig_ruleset *rules, const struct clf_policy *policy);

/* Per frame of a burst. */
struct clf_result {
	uint8_t verdict;	  /* CLF_PASS, CLF_DROP or CLF_RESET */
	uint8_t icmp_reject;	  /* with CLF_RESET of UDP */
	uint8_t first_of_verdict; /* with CLF_RESET: this frame made the decision: send the RSTs */
	uint8_t matched;  /* the flow carries a signature (evidence capture wants the frame) */
	uint64_t flow_id; /* 0: no flow, or not asked for (see flow_ids) */
};

/*
 * THE HOT PATH. n <= CLF_BURST_MAX frames; results[i] for frames[i]. `now_us`: the burst's clock.
 * Frames keep their order; the engine never writes to them. A feeder whose frames may be far away
 * prefetches their first line. Returns whether any verdict is not CLF_PASS.
 */
bool clf_burst(struct clf_engine *engine, const struct clf_frame *frames, unsigned n,
    uint64_t now_us, struct clf_result *results);

/* Timers: ends idle flows, gives up on slow ones. Bounded work; call once per burst or idle loop.
 * Returns flows ended. */
unsigned clf_tick(struct clf_engine *engine, uint64_t now_us);

/* End of input: ends every flow, oldest first. */
void clf_flush(struct clf_engine *engine, uint64_t now_us);

/* Bypass: on = no inspection, no drops; frames pass and are counted `uninspected`. */
void clf_engine_bypass(struct clf_engine *engine, bool on);

struct clf_engine_stats { /* all monotone unless "now" is said */
	uint64_t frames, bytes;
	uint64_t parse[CLF_P_MAX];		/* frames by enum clf_parse */
	uint64_t verdicts[CLF_WOULD_RESET + 1]; /* frames */
	uint64_t flows_new, flows_ended, flows_decided, flows_gave_up, flows_matched;
	uint64_t flows_now, inspecting_now;
	uint64_t table_full, inspect_full, stream_full, fragments_full, crypto_over_budget;
	uint64_t evicted;
	uint64_t uninspected; /* frames under bypass */
	uint64_t events, events_lost;
	uint64_t names_by_source[SIG_F_NAME_LAST + 1];
	uint64_t blind_flows[CLF_BLIND_MAX],
	    blind_bytes[CLF_BLIND_MAX]; /* ended flows; [0] = named */
	uint64_t quic_decrypts, ndpi_calls, rule_matches;
	uint64_t bad_checksum_ignored, outside_window_ignored, overlaps;
	/* fragmented datagrams: rejoined; given up or evicted; that overlapped; fragments that lie
	 */
	uint64_t fragments_rejoined, fragments_lost, fragments_overlapped, fragments_bad;
	uint64_t dns_questions, dns_answers_learned, dns_unsolicited;
	uint64_t dns_shared, dns_share_lost; /* answers that other workers learnt */
};
const struct clf_engine_stats *clf_engine_stats(const struct clf_engine *engine);

/* For a restart: the DNS memory's image (see dns_memory.h). Owner thread. */
struct clf_dns_memory *clf_engine_dns_memory(struct clf_engine *engine);
/* "4.2.0" */
const char *clf_ndpi_version(void);

#endif
