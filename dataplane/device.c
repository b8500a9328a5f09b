/* SPDX-License-Identifier: Apache-2.0 */
/* Device strings and networks: the small grammars inside the configuration's values. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/config.h"

bool
dp_device_is_pci(const char *device)
{
	unsigned domain, bus, slot, function;
	int end = 0;

	if (sscanf(device, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) == 4 &&
	    (device[end] == '\0' || device[end] == ','))
		return true;
	end = 0;
	return sscanf(device, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) == 3 &&
	       (device[end] == '\0' || device[end] == ',');
}

size_t
dp_device_name(const char *device, char *out, size_t cap)
{
	size_t len = strcspn(device, ",");

	if (len == 0 || len >= cap)
		return 0;
	if (!dp_device_is_pci(device)) {
		/* A virtual device: letters, digits and '_', as DPDK's own drivers are named. */
		if (!isalpha((unsigned char)device[0]))
			return 0;
		for (size_t i = 0; i < len; i++)
			if (!isalnum((unsigned char)device[i]) && device[i] != '_' &&
			    device[i] != '-')
				return 0;
	}
	memcpy(out, device, len);
	out[len] = '\0';
	return len;
}

bool
dp_device_arg(const char *device, const char *key, unsigned nth, char *out, size_t cap)
{
	size_t key_len = strlen(key);
	const char *p = strchr(device, ',');

	for (; p != NULL; p = strchr(p, ',')) {
		p++;
		size_t len = strcspn(p, ",");
		if (len <= key_len || strncmp(p, key, key_len) != 0 || p[key_len] != '=')
			continue;
		if (nth-- != 0)
			continue;
		len -= key_len + 1;
		if (len >= cap)
			return false;
		memcpy(out, p + key_len + 1, len);
		out[len] = '\0';
		return true;
	}
	return false;
}

static bool
is_replay_device(const char *device)
{
	char value[4096];

	return strncmp(device, "net_pcap", 8) == 0 &&
	       dp_device_arg(device, "rx_pcap", 0, value, sizeof(value)) &&
	       !(dp_device_arg(device, "infinite_rx", 0, value, sizeof(value)) && atoi(value) != 0);
}

bool
dp_config_is_replay(const struct dp_config *config)
{
	for (unsigned i = 0; i < config->links_count; i++) {
		const struct dp_link_config *l = &config->links[i];
		if (l->mirror && !is_replay_device(l->mirror))
			return false;
		for (unsigned k = 0; k < l->pair_count; k++)
			if (!is_replay_device(l->pair[k]))
				return false;
	}
	return config->links_count > 0;
}

int
dp_parse_net(const char *s, uint8_t addr[16], uint8_t *ret_version, uint8_t *ret_prefix)
{
	char text[64];
	uint8_t bytes[16] = { 0 };
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : strlen(s);
	unsigned long prefix;
	char *end;

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, len);
	text[len] = '\0';
	uint8_t version = strchr(text, ':') ? 6 : 4;
	if (inet_pton(version == 6 ? AF_INET6 : AF_INET, text, bytes) != 1)
		return -EINVAL;
	unsigned long most = version == 6 ? 128 : 32;
	prefix = most;
	if (slash) {
		if (!isdigit((unsigned char)slash[1]))
			return -EINVAL;
		prefix = strtoul(slash + 1, &end, 10);
		if (*end != '\0' || prefix > most)
			return -EINVAL;
	}
	memcpy(addr, bytes, 16);
	*ret_version = version;
	*ret_prefix = (uint8_t)prefix;
	return 0;
}
