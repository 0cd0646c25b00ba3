#include "train/checkpoints/node_copy.h"

#include "base/mem.h"
#include "base/system/procfs.h"
#include "io/atomic_file.h"
#include "io/checkpoint/user_block.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PATH_BYTES = 384, PREFIX_BYTES = 64 };
static const char folder[] = "/dev/shm";
/* The share of the free memory that a copy may take. */
static const double most_of_memory = 0.8;

/* The name of the copies of a run up to their generation. */
static void run_prefix(const fmd_run_lock *l, char prefix[PREFIX_BYTES])
{
    snprintf(prefix, PREFIX_BYTES, "fmnist-dist-%ld-%016" PRIx64 "-", (long)geteuid(), l->key);
}

static const char *copy_path(const fmd_run_lock *l, uint64_t step, char path[PATH_BYTES])
{
    char prefix[PREFIX_BYTES];
    run_prefix(l, prefix);
    snprintf(path, PATH_BYTES, "%s/%s%" PRId64 "-%" PRIu64, folder, prefix, l->generation, step);
    return path;
}

int fmd_node_copy_claim(const fmd_run_lock *l, uint64_t step)
{
    char path[PATH_BYTES];
    if (l->generation == 0)
        return -1; /* nobody holds the run folder */
    return open(copy_path(l, step, path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0600);
}

bool fmd_node_copy_fits(double bytes)
{
    struct statvfs disk;
    bool limited;
    return statvfs(folder, &disk) == 0 &&
           bytes < most_of_memory * (double)disk.f_bavail * (double)disk.f_frsize &&
           bytes < most_of_memory * fmd_procfs_memory("", &limited);
}

bool fmd_node_copy_fill(int fd, const fmd_run_lock *l, const fmd_checkpoint_image *image)
{
    size_t done = 0;
    if (fmd_node_copy_fits((double)image->bytes))
        while (done < image->bytes) {
            const ssize_t n = write(fd, image->data + done, image->bytes - done);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            done += (size_t)n;
        }
    close(fd);
    if (done < image->bytes)
        fmd_node_copy_remove(l, image->step);
    return done == image->bytes;
}

void fmd_node_copy_remove(const fmd_run_lock *l, uint64_t step)
{
    char path[PATH_BYTES];
    if (l->generation > 0)
        unlink(copy_path(l, step, path));
}

/* Reads a file that nobody else can have written. */
static fmd_status read_own(const char *path, fmd_checkpoint_image *image)
{
    struct stat info;
    void *data;
    if (lstat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid())
        return FMD_FAIL(FMD_EDATA, "'%s' is not a file of this user", path);
    FMD_TRY(fmd_atomic_file_read(&data, &image->bytes, path));
    const fmd_status st = fmd_user_block_check(data, image->bytes, path, &image->step);
    image->data = st == FMD_OK ? data : NULL;
    if (st != FMD_OK)
        free(data);
    return st;
}

/* Calls `use` with each copy that an earlier start of the run has left here. */
static void each_copy(const fmd_run_lock *l,
                      void (*use)(const char *path, uint64_t step, void *self), void *self)
{
    char prefix[PREFIX_BYTES], path[PATH_BYTES];
    run_prefix(l, prefix);
    DIR *dir = l->generation > 0 ? opendir(folder) : NULL;
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        const size_t n = strlen(prefix);
        int64_t generation;
        uint64_t step;
        char more;
        if (strncmp(e->d_name, prefix, n) != 0 ||
            sscanf(e->d_name + n, "%" SCNd64 "-%" SCNu64 "%c", &generation, &step, &more) != 2 ||
            generation >= l->generation)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        use(path, step, self);
    }
    if (dir != NULL)
        closedir(dir);
}

static void remove_copy(const char *path, uint64_t step, void *self)
{
    (void)step;
    (void)self;
    unlink(path);
}

void fmd_node_copy_remove_all(const fmd_run_lock *l)
{
    each_copy(l, remove_copy, NULL);
}

/* Keeps the newest intact copy, and removes those that are not. */
static void keep_newest(const char *path, uint64_t step, void *self)
{
    fmd_checkpoint_image *newest = self, image = {.data = NULL};
    if (step <= newest->step) {
        unlink(path);
        return;
    }
    const fmd_status st = read_own(path, &image);
    if (st != FMD_OK || image.step != step) {
        if (st == FMD_EDATA || st == FMD_OK)
            unlink(path);
        free(image.data);
        return;
    }
    free(newest->data);
    *newest = image;
}

/* What a rank tells of its copy. */
typedef struct offer {
    uint64_t step, bytes;
    int rank; /* -1: it has none */
    char host[FMD_NODE_COPY_HOST];
} offer;

fmd_status fmd_node_copy_recover(fmd_comm *c, const fmd_run_lock *l, uint64_t after,
                                 fmd_checkpoint_image *image, char from[FMD_NODE_COPY_HOST])
{
    const int rank = fmd_comm_rank(c), size = fmd_comm_size(c);
    offer *all = NULL, mine = {.rank = -1};
    fmd_status st = FMD_OK;
    fmd_comm_bcast(c, &after, sizeof after);
    *image = (fmd_checkpoint_image){.step = after};
    if (fmd_comm_node_rank(c) == 0)
        each_copy(l, keep_newest, image);
    if (image->data != NULL) {
        mine = (offer){.step = image->step, .bytes = image->bytes, .rank = rank};
        snprintf(mine.host, sizeof mine.host, "%s", fmd_comm_host(c));
    }
    if (rank == 0)
        st = fmd_alloc(&all, (size_t)size, sizeof *all, "the copies of checkpoints");
    FMD_TRY(fmd_comm_agree(c, st));
    fmd_comm_gather(c, &mine, sizeof mine, all);
    for (int i = 0; rank == 0 && i < size; i++)
        if (all[i].rank >= 0 && (mine.rank < 0 || all[i].step > mine.step))
            mine = all[i];
    free(all);
    fmd_comm_bcast(c, &mine, sizeof mine);
    memcpy(from, mine.host, sizeof mine.host);
    if (mine.rank > 0 && rank == 0) { /* one of another node is newer */
        free(image->data);
        *image = (fmd_checkpoint_image){.bytes = mine.bytes, .step = mine.step};
        st = fmd_alloc(&image->data, image->bytes, 1, "the copy of a checkpoint");
    }
    st = fmd_comm_agree(c, st);
    if (st == FMD_OK && mine.rank > 0)
        fmd_comm_to_root(c, mine.rank, image->data, mine.bytes);
    if (rank != 0 || st != FMD_OK) {
        free(image->data);
        image->data = NULL;
    }
    return st;
}
