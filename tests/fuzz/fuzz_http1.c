/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 requests, status lines and chunked bodies. The first two bytes choose a cut, as for TLS.
 */
#include <stdlib.h>

#include "classifier/observe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct clf_http_req req;

static void
check_span(const uint8_t *data, size_t size, const uint8_t *p, size_t len)
{
	if (p && (p < data || p + len > data + size))
		abort();
}

static void
check_request(const uint8_t *data, size_t size)
{
	check_span(data, size, req.method, req.method_len);
	check_span(data, size, req.path, req.path_len);
	check_span(data, size, req.user_agent, req.user_agent_len);
	if (req.have_host)
		check_span(data, size, req.host.raw, req.host.raw_len);
	if (req.have_target)
		check_span(data, size, req.target.raw, req.target.raw_len);
	if (req.have_host && req.host.len > 0 && strlen(req.host.canonical) != (size_t)req.host.len)
		abort();
	if (req.head_len > size)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum clf_obs whole, part;
	uint32_t len = 0, passed = 0, rest = 0;
	unsigned status = 0;
	size_t cut;

	if (size < 2)
		return 0;
	cut = (size_t)(data[0] << 8 | data[1]);
	data += 2;
	size -= 2;
	if (cut > size)
		cut = size;
	part = clf_http_request(sig_bytes_of(data, cut), &req);
	if (part == CLF_OBS_MORE && req.need <= cut)
		abort();
	bool in_head = part == CLF_OBS_MORE && req.in_head;
	whole = clf_http_request(sig_bytes_of(data, size), &req);
	if (part != CLF_OBS_MORE && part != whole)
		abort();
	/* Where a head is said to go on, it does. */
	if (in_head && whole != CLF_OBS_MORE &&
	    clf_http_goes_on(sig_bytes_of(data, size), (uint32_t)cut))
		abort();
	check_request(data, size);
	part = clf_http_chunked_end(sig_bytes_of(data, cut), &passed);
	whole = clf_http_chunked_end(sig_bytes_of(data, size), &len);
	if ((part != CLF_OBS_MORE && part != whole) || (whole == CLF_OBS_DONE && len > size))
		abort();
	/* Without the chunks that were passed over the rest says the same. */
	if (part == CLF_OBS_MORE &&
	    (passed > cut ||
		clf_http_chunked_end(sig_bytes_of(data + passed, size - passed), &rest) != whole ||
		(whole == CLF_OBS_DONE && passed + rest != len)))
		abort();
	part = clf_http_status(sig_bytes_of(data, cut), &status, &len);
	whole = clf_http_status(sig_bytes_of(data, size), &status, &len);
	if ((part != CLF_OBS_MORE && part != whole) || (whole == CLF_OBS_DONE && len > size))
		abort();
	return 0;
}
