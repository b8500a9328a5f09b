/* SPDX-License-Identifier: Apache-2.0 */
/* What `phonehome doctor` knows of this sensor: its config, and what the running daemon tells. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/doctor.h"
#include "ctl/proto/client.h"
#include "ctl/proto/rpc.h"
#include "signatures/base/yaml_tree.h"

#define CONFIG_DEFAULT "/etc/phonehome/phonehomed.yaml"

/* "rx_pcap" out of "net_pcap0,rx_pcap=f,...": the value, cut to cap; "" when there is none. */
static void
device_arg(const char *device, const char *key, char *out, size_t cap)
{
	size_t n = strlen(key);

	out[0] = '\0';
	for (const char *p = strchr(device, ','); p; p = strchr(p + 1, ','))
		if (strncmp(p + 1, key, n) == 0 && p[1 + n] == '=') {
			const char *v = p + 2 + n;
			snprintf(out, cap, "%.*s", (int)strcspn(v, ","), v);
			return;
		}
}

/* One port of the sensor, by its device string. peer: index, or -1. */
static void
add_port(struct doctor_site *s, const char *device, int peer)
{
	unsigned a, b, c;

	if (s->n_ports == DOCTOR_PORTS_MAX || !device)
		return;
	struct doctor_port *p = &s->ports[s->n_ports++];
	snprintf(p->device, sizeof(p->device), "%s", device);
	snprintf(p->name, sizeof(p->name), "%.*s", (int)strcspn(device, ","), device);
	p->peer = peer;
	device_arg(device, "iface", p->iface, sizeof(p->iface));
	if (strncmp(p->name, "net_af_", 7) != 0)
		p->iface[0] = '\0'; /* net_tap makes its own */
	p->pci = sscanf(p->name, "%x:%x:%x", &a, &b, &c) == 3 ||
		 (sscanf(p->name, "%x:%x", &a, &b) == 2 && strchr(p->name, '.'));
	if (p->pci && strlen(p->name) < 10 && strlen(p->name) + 5 < sizeof(p->name)) {
		memmove(p->name + 5, p->name, strlen(p->name) + 1); /* as the kernel names it */
		memcpy(p->name, "0000:", 5);
	}
}

/* --- the config --- */

static yaml_node_t *
member(yaml_document_t *doc, yaml_node_t *map, const char *key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *k = yaml_document_get_node(doc, p->key);
		if (k && k->type == YAML_SCALAR_NODE &&
		    strcmp((const char *)k->data.scalar.value, key) == 0)
			return yaml_document_get_node(doc, p->value);
	}
	return NULL;
}

static yaml_node_t *
item(yaml_document_t *doc, yaml_node_t *list, size_t i)
{
	if (!list || list->type != YAML_SEQUENCE_NODE ||
	    list->data.sequence.items.start + i >= list->data.sequence.items.top)
		return NULL;
	return yaml_document_get_node(doc, list->data.sequence.items.start[i]);
}

static const char *
scalar(const yaml_node_t *n)
{
	return n && n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

static void
copy(char *out, size_t cap, const char *value)
{
	if (value)
		snprintf(out, cap, "%s", value);
}

static void
take_config(struct doctor_site *s, yaml_document_t *doc)
{
	yaml_node_t *root = yaml_document_get_root_node(doc), *link;
	yaml_node_t *links = member(doc, root, "links"), *store = member(doc, root, "store");

	for (size_t i = 0; (link = item(doc, links, i)); i++) {
		yaml_node_t *pair = member(doc, link, "pair");
		const char *a = scalar(item(doc, pair, 0)), *b = scalar(item(doc, pair, 1));
		add_port(s, scalar(member(doc, link, "mirror")), -1);
		if (a && b) {
			add_port(s, a, (int)s->n_ports + 1);
			add_port(s, b, (int)s->n_ports - 1);
		}
	}
	const char *workers = scalar(member(doc, root, "workers"));
	s->workers = workers ? atoi(workers) : 1;
	copy(s->store, sizeof(s->store), scalar(member(doc, store, "url")));
	copy(s->password_file, sizeof(s->password_file),
	    scalar(member(doc, store, "password_file")));
	copy(s->policy, sizeof(s->policy), scalar(member(doc, root, "policy")));
	copy(s->packs, sizeof(s->packs), scalar(member(doc, root, "packs")));
	copy(s->socket, sizeof(s->socket),
	    scalar(member(doc, member(doc, root, "control"), "socket")));
}

static void
read_config(struct doctor_site *s, const char *path)
{
	yaml_document_t doc;
	struct sig_diag diag = { 0 };
	char *text = NULL;
	size_t len = 0;

	if (!path && access(CONFIG_DEFAULT, F_OK) < 0)
		return;
	s->config = path ? path : CONFIG_DEFAULT;
	s->config_error = sig_file_read(s->config, 1 << 20, &text, &len, &diag);
	if (s->config_error == 0)
		s->config_error = sig_yaml_tree_parse(s->config, text, len, &doc, &diag);
	if (s->config_error == 0) {
		take_config(s, &doc);
		yaml_document_delete(&doc);
	} else {
		copy(s->config_fault, sizeof(s->config_fault), diag.n ? diag.msgs[0].text : "");
	}
	free(text);
	sig_diag_free(&diag);
}

/* --- the daemon --- */

static void
take_status(struct doctor_site *s)
{
	json_t *port, *ports = json_object_get(s->status, "ports");
	size_t i, k;

	s->n_ports = 0;
	json_array_foreach(ports, i, port)
	{
		const char *device = json_string_value(json_object_get(port, "device"));
		const char *peer = json_string_value(json_object_get(port, "peer"));
		const char *name = json_string_value(json_object_get(port, "name"));
		int at = -1;
		for (k = 0; peer && k < json_array_size(ports); k++) {
			const char *other = json_string_value(
			    json_object_get(json_array_get(ports, k), "name"));
			if (other && strcmp(other, peer) == 0)
				at = (int)k;
		}
		if (s->n_ports == DOCTOR_PORTS_MAX)
			break;
		add_port(s, device ? device : name ? name : "?", at);
		s->ports[s->n_ports - 1].status = port;
	}
	s->workers = (int)json_array_size(json_object_get(s->status, "workers"));
}

void
doctor_site_load(struct doctor_site *s, const struct ctl_common *common, const char *config)
{
	struct proto_client *client;
	struct proto_fault fault = { 0 };

	memset(s, 0, sizeof(*s));
	read_config(s, config);
	s->at = common->socket ? common->socket : s->socket[0] ? s->socket : PROTO_SOCKET_DEFAULT;
	s->daemon_error = proto_client_open(s->at, 2000, &client);
	if (s->daemon_error < 0)
		return;
	s->daemon_error = proto_client_call(client, "status", NULL, &s->status, &fault);
	proto_client_close(client);
	json_decref(fault.data);
	if (s->daemon_error == 0)
		take_status(s);
	else
		copy(s->daemon_fault, sizeof(s->daemon_fault), fault.message);
}

void
doctor_site_free(struct doctor_site *s)
{
	json_decref(s->status);
	s->status = NULL;
}
