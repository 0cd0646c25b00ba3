#include "data/import/import_writer.h"

#include "base/mem.h"
#include "data/idx.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLASSES = FMD_DATASET_FILES, FILES, SUFFIX_BYTES = 32 };

struct fmd_import_writer {
    char folder[FMD_PATH_BYTES];               /* to be */
    char parts[FMD_PATH_BYTES + SUFFIX_BYTES]; /* until then; "": it has its name */
    fmd_shape image;
    FILE *file[FMD_DATASET_FILES];
    size_t n[2]; /* samples of training and test */
};

static const char *file_name(const fmd_import_writer *w, int i)
{
    static const char *const grey[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                       "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
                                       "classes.txt"};
    static const char *const coloured[] = {[FMD_TRAIN_IMAGES] = "train-images-idx4-ubyte",
                                           [FMD_TEST_IMAGES] = "t10k-images-idx4-ubyte"};
    return w->image.rank == 3 && (i == FMD_TRAIN_IMAGES || i == FMD_TEST_IMAGES) ? coloured[i]
                                                                                 : grey[i];
}

enum { FILE_PATH = FMD_PATH_BYTES + SUFFIX_BYTES + 32 };

static const char *path_of(const fmd_import_writer *w, int i, char path[FILE_PATH])
{
    snprintf(path, FILE_PATH, "%s/%s", w->parts, file_name(w, i));
    return path;
}

static fmd_status cannot_write(const fmd_import_writer *w, int i)
{
    return FMD_FAIL(FMD_EIO, "cannot write %s for '%s': %s", file_name(w, i), w->folder,
                    strerror(errno));
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;
    while (dir != NULL && readdir(dir) != NULL)
        n++;
    if (dir != NULL)
        closedir(dir);
    return dir != NULL && n <= 2;
}

static fmd_status create_folder(fmd_import_writer *w, const char *folder)
{
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/')
        n--;
    if (n == 0 || n >= sizeof w->folder)
        return FMD_FAIL(FMD_EUSAGE, "data import: the name of the new folder has %zu characters",
                        n);
    snprintf(w->folder, sizeof w->folder, "%.*s", (int)n, folder);
    struct stat st;
    if (lstat(w->folder, &st) == 0 && !is_empty(w->folder))
        return FMD_FAIL(FMD_EBUSY, "'%s' exists: name a new folder for the data set", w->folder);
    snprintf(w->parts, sizeof w->parts, "%s.part-%ld", w->folder, (long)getpid());
    if (mkdir(w->parts, 0777) != 0) {
        const fmd_status failed =
            FMD_FAIL(errno == ENOENT ? FMD_ENOINPUT : FMD_EIO, "cannot create the folder '%s': %s",
                     w->parts, strerror(errno));
        w->parts[0] = '\0';
        return failed;
    }
    return FMD_OK;
}

static fmd_status create_files(fmd_import_writer *w)
{
    static const uint8_t space[FMD_IDX_HEADER];
    char path[FILE_PATH];
    for (int i = 0; i < FMD_DATASET_FILES; i++) {
        const bool images = i == FMD_TRAIN_IMAGES || i == FMD_TEST_IMAGES;
        const size_t head = 8 + (images ? 4 * (size_t)w->image.rank : 0);
        w->file[i] = fopen(path_of(w, i, path), "wxe");
        if (w->file[i] == NULL || fwrite(space, 1, head, w->file[i]) != head)
            return cannot_write(w, i);
    }
    return FMD_OK;
}

fmd_status fmd_import_writer_create(fmd_import_writer **out, const char *folder, fmd_shape image)
{
    fmd_import_writer *w;
    FMD_TRY(fmd_alloc(&w, 1, sizeof *w, "a data set"));
    w->image = image;
    fmd_status st = create_folder(w, folder);
    if (st == FMD_OK)
        st = create_files(w);
    if (st == FMD_OK)
        *out = w;
    else
        fmd_import_writer_destroy(w);
    return st;
}

fmd_status fmd_import_writer_add(fmd_import_writer *w, bool test, const uint8_t *image,
                                 uint8_t label)
{
    const int images = test ? FMD_TEST_IMAGES : FMD_TRAIN_IMAGES;
    const size_t bytes = fmd_shape_count(w->image);
    if (w->n[test] == UINT32_MAX)
        return FMD_FAIL(FMD_EDATA, "found more than %u images, the most of an IDX file",
                        UINT32_MAX);
    if (fwrite(image, 1, bytes, w->file[images]) != bytes)
        return cannot_write(w, images);
    if (fwrite(&label, 1, 1, w->file[images + 1]) != 1)
        return cannot_write(w, images + 1);
    w->n[test]++;
    return FMD_OK;
}

/* Whether the file is on disk with its header; closes it. */
static bool complete(fmd_import_writer *w, int i)
{
    uint8_t head[FMD_IDX_HEADER];
    const bool images = i == FMD_TRAIN_IMAGES || i == FMD_TEST_IMAGES;
    const size_t bytes = fmd_idx_put_header(head, w->n[i >= FMD_TEST_IMAGES],
                                            images ? w->image : (fmd_shape){.rank = 0});
    FILE *f = w->file[i];
    w->file[i] = NULL;
    const bool good = fseek(f, 0, SEEK_SET) == 0 && fwrite(head, 1, bytes, f) == bytes &&
                      fflush(f) == 0 && fsync(fileno(f)) == 0;
    const int cause = errno;
    const bool closed = fclose(f) == 0;
    errno = good ? errno : cause;
    return good && closed;
}

static fmd_status write_names(fmd_import_writer *w, int n, char names[][FMD_CLASS_NAME_BYTES])
{
    char path[FILE_PATH];
    FILE *f = fopen(path_of(w, CLASSES, path), "wxe");
    if (f == NULL)
        return cannot_write(w, CLASSES);
    for (int i = 0; i < n; i++)
        fprintf(f, "%s\n", names[i]);
    const bool good = fflush(f) == 0 && !ferror(f) && fsync(fileno(f)) == 0;
    const fmd_status st = good ? FMD_OK : cannot_write(w, CLASSES);
    fclose(f);
    return st;
}

static void sync_folder(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd); /* some file systems cannot */
    close(fd);
}

fmd_status fmd_import_writer_finish(fmd_import_writer *w, int n, char names[][FMD_CLASS_NAME_BYTES])
{
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        if (!complete(w, i))
            return cannot_write(w, i);
    if (n > 0)
        FMD_TRY(write_names(w, n, names));
    sync_folder(w->parts);
    if (rename(w->parts, w->folder) != 0) /* an empty folder is replaced */
        return FMD_FAIL(errno == ENOTEMPTY || errno == EEXIST ? FMD_EBUSY : FMD_EIO,
                        "cannot create the folder '%s': %s", w->folder, strerror(errno));
    w->parts[0] = '\0';
    char above[sizeof w->folder + 4];
    snprintf(above, sizeof above, "%s/..", w->folder);
    sync_folder(above);
    return FMD_OK;
}

void fmd_import_writer_destroy(fmd_import_writer *w)
{
    char path[FILE_PATH];
    if (w == NULL)
        return;
    for (int i = 0; i < FMD_DATASET_FILES; i++)
        if (w->file[i] != NULL)
            fclose(w->file[i]);
    for (int i = 0; *w->parts != '\0' && i < FILES; i++)
        unlink(path_of(w, i, path));
    if (*w->parts != '\0')
        rmdir(w->parts);
    free(w);
}
