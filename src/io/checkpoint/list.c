/* Reads all fingerprint and state entries of a file, whatever their names. */
#include "base/mem.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/format.h"
#include "io/checkpoint/reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES = 64, MOST = 1000 };

/* Counts the fingerprint and state entries, and allocates them. */
static fmd_status allocate(const fmd_reader *r, fmd_checkpoint_contents *c)
{
    H5O_info_t fingerprint;
    H5G_info_t entries;
    if (H5Oget_info_by_name2(r->h5.id, FMD_FORMAT_FINGERPRINT, &fingerprint, H5O_INFO_NUM_ATTRS,
                             H5P_DEFAULT) < 0)
        return fmd_h5_damaged(&r->h5, FMD_FORMAT_FINGERPRINT);
    if (H5Gget_info_by_name(r->h5.id, FMD_FORMAT_STATE, &entries, H5P_DEFAULT) < 0)
        return fmd_h5_damaged(&r->h5, FMD_FORMAT_STATE);
    if (fingerprint.num_attrs > MOST || entries.nlinks > MOST)
        return FMD_FAIL(FMD_EDATA,
                        "'%s' is damaged: it has more than %d fingerprint entries or values",
                        r->h5.path, MOST);
    c->n_fingerprint = (size_t)fingerprint.num_attrs;
    c->n_entries = (size_t)entries.nlinks;
    FMD_TRY(fmd_alloc(&c->fingerprint, c->n_fingerprint + 1, sizeof *c->fingerprint,
                      "the fingerprint entries of a file"));
    FMD_TRY(fmd_alloc(&c->entries, c->n_entries + 1, sizeof *c->entries, "the values of a file"));
    return fmd_alloc(&c->names, c->n_fingerprint + c->n_entries + 1, NAME_BYTES,
                     "the names in a file");
}

/* The kind of an HDF5 type; false: no entry has this type. */
static bool find_kind(hid_t type, fmd_state_kind *kind)
{
    for (int k = FMD_STATE_U8; k <= FMD_STATE_F64; k++) {
        *kind = (fmd_state_kind)k;
        if (H5Tequal(type, fmd_format_type(*kind)) > 0)
            return true;
    }
    return false;
}

/* Kind and number of the values of the entry of this name. Its range includes all values. */
static fmd_status describe(const fmd_reader *r, fmd_state_entry *e)
{
    char at[FMD_OPTION_TEXT_BYTES];
    hid_t dataset;
    snprintf(at, sizeof at, FMD_FORMAT_STATE "/%s", e->name);
    FMD_TRY(fmd_reader_dataset(&dataset, r, at));
    const hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    const hssize_t count = H5Sget_simple_extent_npoints(space);
    const bool known = find_kind(type, &e->kind);
    H5Sclose(space);
    H5Tclose(type);
    H5Oclose(dataset);
    e->min = -(double)INFINITY;
    e->max = (double)INFINITY;
    e->may_be_nan = true;
    /* A file cannot have more values than bytes: a larger count would only exhaust memory. */
    if (!known || count < 0 || (uint64_t)count > r->h5.bytes)
        return FMD_FAIL(FMD_EDATA, "'%s' is damaged: %s is not an array of numbers", r->h5.path,
                        at);
    e->count = (size_t)count;
    return FMD_OK;
}

static fmd_status read_contents(const fmd_reader *r, fmd_checkpoint_contents *c)
{
    FMD_TRY(fmd_reader_text(r, FMD_FORMAT_GROUP, "program_version", c->program_version,
                            sizeof c->program_version));
    c->step = r->step;
    FMD_TRY(allocate(r, c));
    char *name = c->names;
    for (size_t i = 0; i < c->n_fingerprint; i++, name += NAME_BYTES) {
        fmd_fingerprint_entry *t = &c->fingerprint[i];
        t->name = name;
        if (H5Aget_name_by_idx(r->h5.id, FMD_FORMAT_FINGERPRINT, H5_INDEX_NAME, H5_ITER_INC, i,
                               name, NAME_BYTES, H5P_DEFAULT) < 0)
            return fmd_h5_damaged(&r->h5, FMD_FORMAT_FINGERPRINT);
        FMD_TRY(fmd_reader_text(r, FMD_FORMAT_FINGERPRINT, name, t->text, sizeof t->text));
    }
    for (size_t i = 0; i < c->n_entries; i++, name += NAME_BYTES) {
        c->entries[i].name = name;
        if (H5Lget_name_by_idx(r->h5.id, FMD_FORMAT_STATE, H5_INDEX_NAME, H5_ITER_INC, i, name,
                               NAME_BYTES, H5P_DEFAULT) < 0)
            return fmd_h5_damaged(&r->h5, FMD_FORMAT_STATE);
        FMD_TRY(describe(r, &c->entries[i]));
        FMD_TRY(fmd_alloc(&c->entries[i].data, fmd_state_entry_bytes(&c->entries[i]) + 1, 1, name));
        FMD_TRY(fmd_reader_entry(r, &c->entries[i], c->entries[i].data));
    }
    return FMD_OK;
}

fmd_status fmd_checkpoint_read_contents(const char *path, fmd_checkpoint_contents *out)
{
    fmd_checkpoint_contents read = {.n_fingerprint = 0};
    fmd_reader r;
    FMD_TRY(fmd_reader_open(&r, path));
    const fmd_status status = read_contents(&r, &read);
    if (status == FMD_OK)
        *out = read;
    else
        fmd_checkpoint_free_contents(&read);
    fmd_reader_close(&r);
    return status;
}

void fmd_checkpoint_free_contents(fmd_checkpoint_contents *c)
{
    for (size_t i = 0; c->entries != NULL && i < c->n_entries; i++)
        free(c->entries[i].data);
    free(c->entries);
    free(c->fingerprint);
    free(c->names);
    *c = (fmd_checkpoint_contents){.n_fingerprint = 0};
}
