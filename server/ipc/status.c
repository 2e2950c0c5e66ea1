/*
 *   0               the head: the hash key
 *   1 slot .. 128   slots of fronts, STATUS_SLOT_BYTES each
 *   then            a table of client counts for each front
 *   then            all other slots
 *
 * A process can make its mapping of a slot reach what lies behind it (mremap), so what limits depend on lies in front of
 * every slot of a session.
 */
#include "server/ipc/status.h"

#include "base/must.h"
#include "base/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

static const size_t table_bytes = STATUS_CLIENT_COUNTS * sizeof(uint16_t);
static const size_t tables_bytes = STATUS_FRONTS * table_bytes;
static const size_t tables_offset = (size_t)(STATUS_FRONTS + 1) * STATUS_SLOT_BYTES;
static const size_t total_bytes = (size_t)STATUS_SLOTS * STATUS_SLOT_BYTES + tables_bytes;

_Static_assert(sizeof(struct status_slot) <= STATUS_SLOT_BYTES, "a slot must hold its counters");

static size_t slot_offset(uint32_t slot)
{
	return (size_t)slot * STATUS_SLOT_BYTES + (slot > STATUS_FRONTS ? tables_bytes : 0);
}

static size_t table_offset(uint32_t slot)
{
	must(slot > 0 && slot <= STATUS_FRONTS);
	return tables_offset + (slot - 1) * table_bytes;
}

int status_create(int *ret_fd)
{
	uint8_t key[HASH_KEY_BYTES];
	_cleanup_close_ int fd = memfd_create("restante-status", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)total_bytes) < 0)
		return -errno;
	if (getrandom(key, sizeof key, 0) != sizeof key)
		return -EIO;
	if (pwrite(fd, key, sizeof key, 0) != sizeof key)
		return -EIO;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int map_table(int fd, uint32_t slot, struct status *status)
{
	void *table = mmap(NULL, table_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)table_offset(slot));

	if (table == MAP_FAILED)
		return -errno;
	status->own_clients = table;
	return 0;
}

int status_map(int fd, uint32_t slot, struct status *ret_status)
{
	struct status status = { .slot = slot };

	must(slot < STATUS_SLOTS);
	if (pread(fd, status.key, sizeof status.key, 0) != sizeof status.key)
		return -EIO;
	if (slot <= STATUS_FRONTS) {
		void *all = mmap(NULL, total_bytes, PROT_READ, MAP_SHARED, fd, 0);

		if (all == MAP_FAILED)
			return -errno;
		status.all = all;
	}
	if (slot == 0) {
		status.own = calloc(1, sizeof *status.own);
		must(status.own != NULL);
		*ret_status = status;
		return 0;
	}

	void *own = mmap(NULL, STATUS_SLOT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)slot_offset(slot));

	if (own == MAP_FAILED)
		return -errno;
	status.own = own;
	if (slot <= STATUS_FRONTS) {
		int r = map_table(fd, slot, &status);

		if (r < 0)
			return r;
	}
	*ret_status = status;
	return 0;
}

void status_clear_slot(int fd, uint32_t slot)
{
	/* A hole reads as zeros, and gives the memory back. */
	must(slot > 0 && slot < STATUS_SLOTS);
	must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)slot_offset(slot), STATUS_SLOT_BYTES) == 0);
	if (slot <= STATUS_FRONTS)
		must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)table_offset(slot), (off_t)table_bytes) == 0);
}

uint64_t status_read(const struct status *status, uint32_t slot, enum status_counter counter)
{
	must(status->all && slot < STATUS_SLOTS);

	const struct status_slot *at = (const struct status_slot *)(status->all + slot_offset(slot));

	return __atomic_load_n(&at->counters[counter], __ATOMIC_RELAXED);
}

static size_t client_index(const struct status *status, const struct address *client)
{
	struct address c = address_client(client);
	uint8_t bytes[17] = { c.family };

	memcpy(bytes + 1, c.bytes, sizeof c.bytes);
	return hash_siphash(status->key, slice_from(bytes, sizeof bytes)) % STATUS_CLIENT_COUNTS;
}

void status_count_client(struct status *status, const struct address *client, int n)
{
	must(status->own_clients);
	__atomic_fetch_add(&status->own_clients[client_index(status, client)], (uint16_t)n, __ATOMIC_RELAXED);
}

unsigned status_client_connections(const struct status *status, const struct address *client)
{
	size_t index = client_index(status, client);
	unsigned sum = 0;

	must(status->all);
	for (uint32_t slot = 1; slot <= STATUS_FRONTS; slot++) {
		const uint16_t *table = (const uint16_t *)(status->all + table_offset(slot));

		sum += __atomic_load_n(&table[index], __ATOMIC_RELAXED);
	}
	return sum;
}

uint64_t status_connections(const struct status *status)
{
	uint64_t sum = 0;

	for (uint32_t slot = 1; slot <= STATUS_FRONTS; slot++)
		for (enum service s = 0; s < SERVICE_COUNT; s++)
			sum += status_read(status, slot, STATUS_CONNECTIONS_IMAPS + s);
	return sum;
}
