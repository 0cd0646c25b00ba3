#include "io/tensorboard/tensorboard.h"

#include "base/mem.h"
#include "io/tensorboard/crc32c.h"
#include "tensorboard.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 1400, TAG_BYTES = 128, RECORD_BYTES = 512, MOST_FILES = 1000 };

struct fmd_tensorboard {
    FILE *file;
    char path[PATH_BYTES];
};

static fmd_status cannot_write(const char *path)
{
    return FMD_FAIL(FMD_EIO, "cannot write '%s': %s", path, strerror(errno));
}

/* Numbers in the file are little-endian on every machine. */
static void put_number(FILE *file, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        putc((int)(value >> (8 * i) & 0xff), file);
}

/* TensorFlow masks checksums, since checksums over data with embedded checksums are weak: rotate
 * and add. */
static uint32_t masked(uint32_t crc)
{
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
}

/* A TFRecord: the length and its checksum, the bytes and their checksum. */
static void put_record(FILE *file, const uint8_t *data, size_t bytes)
{
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)bytes >> (8 * i));
    fwrite(length, 1, sizeof length, file);
    put_number(file, masked(fmd_crc32c(length, sizeof length)), 4);
    fwrite(data, 1, bytes, file);
    put_number(file, masked(fmd_crc32c(data, bytes)), 4);
}

static void put_event(fmd_tensorboard *t, Tensorboard__Event *event)
{
    uint8_t record[RECORD_BYTES];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event->wall_time = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    put_record(t->file, record, tensorboard__event__pack(event, record));
}

static void put_version(fmd_tensorboard *t)
{
    char version[] = "brain.Event:2";
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    event.what_case = TENSORBOARD__EVENT__WHAT_FILE_VERSION;
    event.file_version = version;
    put_event(t, &event);
}

static void put_restart(fmd_tensorboard *t, int64_t step)
{
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    Tensorboard__SessionLog session = TENSORBOARD__SESSION_LOG__INIT;
    session.status = TENSORBOARD__SESSION_LOG__SESSION_STATUS__START;
    event.step = step;
    event.what_case = TENSORBOARD__EVENT__WHAT_SESSION_LOG;
    event.session_log = &session;
    put_event(t, &event);
}

static fmd_status make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return FMD_OK;
    return FMD_FAIL(FMD_EIO, "cannot create the folder '%s': %s", path, strerror(errno));
}

/* events.out.tfevents.<seconds>.<host>.<process>.<n>, in the folder that t->path names. */
static FILE *create_file(fmd_tensorboard *t)
{
    char host[128] = "";
    const size_t folder = strlen(t->path);
    int fd = -1;
    gethostname(host, sizeof host - 1);
    for (int i = 0; fd < 0 && i < MOST_FILES; i++) {
        snprintf(t->path + folder, sizeof t->path - folder,
                 "/events.out.tfevents.%010lld.%s.%ld.%d", (long long)time(NULL), host,
                 (long)getpid(), i);
        fd = open(t->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            return NULL;
    }
    return fd < 0 ? NULL : fdopen(fd, "w");
}

fmd_status fmd_tensorboard_open(fmd_tensorboard **out, const char *run_folder, const char *log,
                                int64_t step)
{
    fmd_tensorboard *t;
    FMD_TRY(fmd_alloc(&t, 1, sizeof *t, "the TensorBoard log"));
    snprintf(t->path, sizeof t->path, "%s/tensorboard", run_folder);
    fmd_status st = make_folder(t->path);
    snprintf(t->path, sizeof t->path, "%s/tensorboard/%s", run_folder, log);
    if (st == FMD_OK)
        st = make_folder(t->path);
    if (st == FMD_OK && (t->file = create_file(t)) == NULL)
        st = cannot_write(t->path);
    if (st == FMD_OK) {
        put_version(t);
        if (step != FMD_TENSORBOARD_ADD)
            put_restart(t, step);
        st = fmd_tensorboard_flush(t);
    }
    if (st != FMD_OK) {
        fmd_tensorboard_close(t);
        return st;
    }
    *out = t;
    return FMD_OK;
}

void fmd_tensorboard_scalar(fmd_tensorboard *t, const char *tag, int64_t step, double value)
{
    char name[TAG_BYTES];
    Tensorboard__Event event = TENSORBOARD__EVENT__INIT;
    Tensorboard__Summary summary = TENSORBOARD__SUMMARY__INIT;
    Tensorboard__Summary__Value scalar;
    Tensorboard__Summary__Value *values[] = {&scalar};
    snprintf(name, sizeof name, "%s", tag);
    tensorboard__summary__value__init(&scalar);
    scalar.tag = name;
    scalar.value_case = TENSORBOARD__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
    scalar.simple_value = (float)value;
    summary.n_value = 1;
    summary.value = values;
    event.step = step;
    event.what_case = TENSORBOARD__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    put_event(t, &event);
}

fmd_status fmd_tensorboard_flush(fmd_tensorboard *t)
{
    if (fflush(t->file) == 0 && !ferror(t->file))
        return FMD_OK;
    return cannot_write(t->path);
}

void fmd_tensorboard_close(fmd_tensorboard *t)
{
    if (t == NULL)
        return;
    if (t->file != NULL)
        fclose(t->file);
    free(t);
}
