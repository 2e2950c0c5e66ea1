#include "server/master/queue.h"

#include "base/must.h"

#include <errno.h>
#include <uthash.h>
#include <utlist.h>

struct client_key {
	uint8_t family;
	uint8_t bytes[16];
};

struct queue_client {
	struct client_key key;
	struct queue_front *front;
	struct queue_entry *entries;
	size_t n;
	struct queue_client *prev, *next; /* the ring of the front */
	UT_hash_handle hh;
};

struct queue_front {
	uint32_t id;
	struct queue_client *clients;    /* the ring, the next one first */
	struct queue_client *by_address;
	struct queue_front *prev, *next; /* the ring of the queue */
};

static struct queue_front *find_front(struct queue *queue, uint32_t id)
{
	struct queue_front *front;

	DL_SEARCH_SCALAR(queue->fronts, front, id, id);
	if (front)
		return front;
	front = calloc(1, sizeof *front);
	must(front != NULL);
	front->id = id;
	DL_APPEND(queue->fronts, front);
	return front;
}

static struct queue_client *find_client(struct queue_front *front, const struct address *address)
{
	struct address a = address_client(address);
	struct client_key key = { .family = a.family };
	struct queue_client *client;

	memcpy(key.bytes, a.bytes, sizeof key.bytes);
	HASH_FIND(hh, front->by_address, &key, sizeof key, client);
	if (client)
		return client;
	client = calloc(1, sizeof *client);
	must(client != NULL);
	client->key = key;
	client->front = front;
	HASH_ADD(hh, front->by_address, key, sizeof client->key, client);
	DL_APPEND(front->clients, client);
	return client;
}

static void drop_if_empty(struct queue *queue, struct queue_client *client)
{
	struct queue_front *front = client->front;

	if (!client->entries) {
		HASH_DEL(front->by_address, client);
		DL_DELETE(front->clients, client);
		free(client);
	}
	if (!front->clients) {
		DL_DELETE(queue->fronts, front);
		free(front);
	}
}

int queue_push(struct queue *queue, struct queue_entry *entry, uint32_t front_id, const struct address *address, size_t max)
{
	must(!entry->client);
	if (queue->n >= max)
		return -EAGAIN;

	struct queue_client *client = find_client(find_front(queue, front_id), address);

	if (client->n > max / 8) {
		drop_if_empty(queue, client);
		return -EAGAIN;
	}
	entry->client = client;
	DL_APPEND(client->entries, entry);
	client->n++;
	queue->n++;
	return 0;
}

void queue_remove(struct queue *queue, struct queue_entry *entry)
{
	struct queue_client *client = entry->client;

	if (!client)
		return;
	DL_DELETE(client->entries, entry);
	*entry = (struct queue_entry){ 0 };
	client->n--;
	queue->n--;
	drop_if_empty(queue, client);
}

struct queue_entry *queue_pop(struct queue *queue)
{
	struct queue_front *front = queue->fronts;

	if (!front)
		return NULL;

	struct queue_client *client = front->clients;
	struct queue_entry *entry = client->entries;

	/* To the end of both rings: the next turn is somebody else's. */
	DL_DELETE(queue->fronts, front);
	DL_APPEND(queue->fronts, front);
	DL_DELETE(front->clients, client);
	DL_APPEND(front->clients, client);
	queue_remove(queue, entry);
	return entry;
}
