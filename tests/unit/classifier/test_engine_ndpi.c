/* SPDX-License-Identifier: Apache-2.0 */
/*
 * classifier/engine_ndpi.c with the real nDPI: conversations out of RFCs and standards, labelled as
 * ndpiReader (4.2) labels the same packets in a capture.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "classifier/engine.h"
#include "classifier/engine_ndpi.h"

enum { TCP = 6, UDP = 17, ICMP = 1, L3_MAX = 512, SLOTS = 4 };

struct message {
	bool down;
	const char *bytes;
	size_t len;
};

#define UP(text)                              \
	{                                     \
		false, text, sizeof(text) - 1 \
	}
#define DOWN(text)                           \
	{                                    \
		true, text, sizeof(text) - 1 \
	}

struct talk {
	const char *want; /* ndpiReader's word */
	uint8_t protocol, ip_version;
	uint16_t port;
	struct message says[8];
};

/* A byte string that is no protocol's; printable, so that it can stand here. */
#define NOISE \
	"\x0b\x30\x55\x7a\x9f\xc4\xe9\x0e\x33\x58\x7d\xa2\xc7\xec\x11\x36\x5b\x80\xa5\xca\xef\x14"

#define NTP_CLIENT                                                                                 \
	"\x23\x00\x06\xec\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" \
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xe8\xc2\xf0\xa0" \
	"\x12"                                                                                     \
	"4Vx"

static const struct talk talks[] = {
	{ "NTP", UDP, 4, 123, { UP(NTP_CLIENT) } }, /* RFC 5905 */
	{ "NTP", UDP, 6, 123, { UP(NTP_CLIENT) } },
	/* RFC 1035: a question for www.example.com */
	{ "DNS", UDP, 4, 53,
	    { UP("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07"
		 "example\x03"
		 "com\x00\x00\x01\x00\x01") } },
	/* RFC 1350 */
	{ "TFTP", UDP, 4, 69, { UP("\x00\x01rfc1350.txt\x00octet\x00") } },
	/* RFC 2865, 7.1 */
	{ "Radius", UDP, 4, 1812,
	    { UP("\x01\x00\x00\x38\x0f\x40\x3f\x94\x73\x97\x80\x57\xbd\x83\xd5\xcb\x98\xf4\x22\x7a"
		 "\x01\x06nemo\x02\x12\x0d\xbe\x70\x8d\x93\xd4\x13\xce\x31\x96\xe4\x3f\x78\x2a\x0a"
		 "\xee\x04\x06\xc0\xa8\x01\x10\x05\x06\x00\x00\x00\x03") } },
	/* RFC 3665, 3.1 */
	{ "SIP", UDP, 4, 5060,
	    { UP(
		"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
		"Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9\r\n"
		"Max-Forwards: 70\r\nFrom: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n"
		"To: Bob <sip:bob@biloxi.example.com>\r\n"
		"Call-ID: 3848276298220188511@atlanta.example.com\r\nCSeq: 1 INVITE\r\n"
		"Content-Length: 0\r\n\r\n") } },
	/* RFC 4253, 4.2: the server may speak first */
	{ "SSH", TCP, 4, 22, { DOWN("SSH-2.0-OpenSSH_9.2\r\n"), UP("SSH-2.0-OpenSSH_9.2\r\n") } },
	/* RFC 5321, D.1 in short */
	{ "SMTP", TCP, 4, 25,
	    { DOWN("220 mail.example.com ESMTP\r\n"), UP("EHLO client.example.com\r\n"),
		DOWN("250-mail.example.com\r\n250 HELP\r\n"), UP("MAIL FROM:<a@example.com>\r\n"),
		DOWN("250 OK\r\n") } },
	/* RFC 959 */
	{ "FTP_CONTROL", TCP, 4, 21,
	    { DOWN("220 FTP server ready.\r\n"), UP("USER anonymous\r\n"),
		DOWN("331 Guest login ok\r\n"), UP("PASS a@example.com\r\n"), DOWN("230 ok\r\n"),
		UP("SYST\r\n"), DOWN("215 UNIX\r\n") } },
	/* RFC 9112, on a port of nobody's */
	{ "HTTP", TCP, 4, 8080,
	    { UP("GET / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: x\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "
		     "2\r\n\r\nok") } },
	/* BEP 3 */
	{ "BitTorrent", TCP, 4, 6881,
	    { UP("\x13"
		 "BitTorrent protocol\0\0\0\0\0\0\0\0hhhhhhhhhhhhhhhhhhhh-XX0001-abcdefghijkl") } },
	/* MQTT 3.1.1, CONNECT; Modbus, read a register; RESP */
	{ "MQTT", TCP, 4, 1883, { UP("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00") } },
	{ "Modbus", TCP, 4, 502, { UP("\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01") } },
	{ "Redis", TCP, 4, 6379, { UP("*1\r\n$4\r\nPING\r\n"), DOWN("+PONG\r\n") } },
	{ "ICMP", ICMP, 4, 0, { UP("\x08\x00\xf7\xff\x00\x00\x00\x00xxxxxxxxxxxxxxxxxxxxxxxx") } },
	/* Nobody's bytes: unknown on nobody's port, TLS by its port alone. */
	{ "Unknown", UDP, 4, 40011, { UP(NOISE NOISE), UP(NOISE "?") } },
	{ "TLS", TCP, 4, 443, { UP(NOISE NOISE) } },
};

/* A port and hosts of its own for each talk: nDPI remembers over flows who spoke BitTorrent. */
static uint16_t client_port = 40000;

static void
put16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static size_t
ip_head(uint8_t *out, const struct talk *t, bool down, size_t payload)
{
	const uint8_t serial = (uint8_t)(client_port & 0x7f), hosts[2] = { serial, 0x80 | serial };

	if (t->ip_version == 6) {
		out[0] = 0x60;
		put16(out + 4, payload);
		out[6] = t->protocol;
		out[7] = 64;
		put16(out + 8, 0x2001);
		put16(out + 10, 0xdb8);
		memcpy(out + 24, out + 8, 4);
		out[23] = hosts[down];
		out[39] = hosts[!down];
		return 40;
	}
	out[0] = 0x45;
	put16(out + 2, 20 + payload);
	out[8] = 64;
	out[9] = t->protocol;
	memcpy(out + 12, "\xc0\x00\x02", 3); /* 192.0.2.0/24 */
	memcpy(out + 16, "\xc0\x00\x02", 3);
	out[15] = hosts[down];
	out[19] = hosts[!down];
	return 20;
}

/* A whole packet; `seq` counts each side's bytes. Its length. */
static size_t
packet(uint8_t out[static L3_MAX], const struct talk *t, const struct message *m, uint32_t seq[2])
{
	size_t l4 = t->protocol == TCP ? 20 : t->protocol == UDP ? 8 : 0, ip;
	uint8_t *at;

	memset(out, 0, L3_MAX);
	ip = ip_head(out, t, m->down, l4 + m->len);
	at = out + ip;
	assert_true(ip + l4 + m->len <= L3_MAX);
	if (l4 > 0) {
		put16(at, m->down ? t->port : client_port);
		put16(at + 2, m->down ? client_port : t->port);
	}
	if (t->protocol == UDP)
		put16(at + 4, l4 + m->len);
	if (t->protocol == TCP) {
		put16(at + 6, seq[m->down]);
		put16(at + 10, seq[!m->down]);
		at[12] = 5 << 4;
		at[13] = 0x18; /* PSH, ACK */
		put16(at + 14, 65535);
		seq[m->down] += (uint32_t)m->len;
	}
	memcpy(at + l4, m->bytes, m->len);
	return ip + l4 + m->len;
}

static struct clf_ndpi *ndpi;

static int
start(void **state)
{
	(void)state;
	return clf_ndpi_new(SLOTS, &ndpi);
}

static int
end(void **state)
{
	(void)state;
	clf_ndpi_free(ndpi);
	ndpi = NULL;
	clf_ndpi_free(NULL);
	return 0;
}

/* All of a talk, and nDPI's last word. */
static struct clf_ndpi_verdict
hear(const struct talk *t)
{
	struct clf_ndpi_flow *f = clf_ndpi_open(ndpi);
	struct clf_ndpi_verdict v = { 0 };
	uint32_t seq[2] = { 100, 500 };
	uint8_t l3[L3_MAX];

	client_port++;
	assert_non_null(f);
	for (size_t i = 0; i < 8 && t->says[i].len > 0 && !v.final; i++) {
		size_t n = packet(l3, t, &t->says[i], seq);

		clf_ndpi_packet(
		    ndpi, f, l3, (uint16_t)n, 1700000000000000 + i * 1000, !t->says[i].down, &v);
	}
	if (v.app == 0 && !v.final)
		clf_ndpi_giveup(ndpi, f, &v);
	clf_ndpi_close(ndpi, f);
	return v;
}

static void
labels_as_ndpireader_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		struct clf_ndpi_verdict v = hear(&talks[i]);
		char label[64];
		size_t n = clf_ndpi_label(ndpi, &v, label, sizeof(label));

		assert_int_equal(n, strlen(label));
		assert_string_equal(label, talks[i].want);
	}
}

/* What only the port says is told as a guess; what the bytes say is not. */
static void
tells_a_guess(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		struct clf_ndpi_verdict v = hear(&talks[i]);

		if (v.guessed != (strcmp(talks[i].want, "TLS") == 0))
			fail_msg("%s: guessed %d", talks[i].want, v.guessed);
	}
}

/* It says "final" at the end of its patience, and then for good. */
static void
gives_up_like_ndpireader(void **state)
{
	static const struct talk noise[] = {
		{ "Unknown", UDP, 4, 40011, { UP(NOISE) } },
		{ "Unknown", TCP, 4, 40011, { UP(NOISE) } },
	};
	static const unsigned patience[] = { 24, 80 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct clf_ndpi_flow *f = clf_ndpi_open(ndpi);
		struct clf_ndpi_verdict v = { 0 };
		uint32_t seq[2] = { 100, 500 };
		uint8_t l3[L3_MAX];
		unsigned n = 0;

		client_port++;
		for (; !v.final && n < 200; n++) {
			size_t len = packet(l3, &noise[i], &noise[i].says[0], seq);

			clf_ndpi_packet(ndpi, f, l3, (uint16_t)len, n, true, &v);
		}
		assert_int_equal(n, patience[i] + 1);
		assert_int_equal(v.app, 0);
		clf_ndpi_close(ndpi, f);
	}
}

/* A slot that was another flow's tells nothing of it. */
static void
slots_are_few_and_clean(void **state)
{
	struct clf_ndpi_flow *f[SLOTS];

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < SLOTS; i++)
			assert_non_null(f[i] = clf_ndpi_open(ndpi));
		assert_null(clf_ndpi_open(ndpi));
		for (unsigned i = 0; i < SLOTS; i++)
			clf_ndpi_close(ndpi, f[i]);
		clf_ndpi_close(ndpi, NULL);
		for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
			struct clf_ndpi_verdict v = hear(&talks[i]);
			char label[64];

			clf_ndpi_label(ndpi, &v, label, sizeof(label));
			assert_string_equal(label, talks[i].want);
		}
	}
}

/* Cut at any byte, in a block of just that size: nothing is read beyond it. */
static void
any_part_of_a_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		uint32_t seq[2] = { 100, 500 };
		uint8_t l3[L3_MAX];
		size_t n = packet(l3, &talks[i], &talks[i].says[0], seq);

		client_port++;
		for (size_t cut = 1; cut < n; cut++) {
			struct clf_ndpi_flow *f = clf_ndpi_open(ndpi);
			struct clf_ndpi_verdict v = { 0 };
			uint8_t *part = malloc(cut);

			assert_non_null(part);
			memcpy(part, l3, cut);
			clf_ndpi_packet(ndpi, f, part, (uint16_t)cut, 0, true, &v);
			if (!v.final)
				clf_ndpi_giveup(ndpi, f, &v);
			clf_ndpi_close(ndpi, f);
			free(part);
		}
	}
}

static void
labels_fit_their_room(void **state)
{
	struct clf_ndpi_verdict v = hear(&talks[0]), none = { 0 };
	char label[64] = "x";

	(void)state;
	assert_int_equal(clf_ndpi_label(ndpi, &v, label, 0), 0);
	assert_string_equal(label, "x");
	assert_true(clf_ndpi_label(ndpi, &v, label, 3) <= 2);
	assert_int_equal(clf_ndpi_label(ndpi, &none, label, sizeof(label)), 7);
	assert_string_equal(label, "Unknown");
	assert_true(strlen(clf_ndpi_version()) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(labels_as_ndpireader_does, start, end),
		cmocka_unit_test_setup_teardown(tells_a_guess, start, end),
		cmocka_unit_test_setup_teardown(gives_up_like_ndpireader, start, end),
		cmocka_unit_test_setup_teardown(slots_are_few_and_clean, start, end),
		cmocka_unit_test_setup_teardown(any_part_of_a_packet, start, end),
		cmocka_unit_test_setup_teardown(labels_fit_their_room, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
