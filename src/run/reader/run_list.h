/* The runs in a folder: what their files say, for lists and comparisons. Read-only. */
#ifndef FMD_RUN_RUN_LIST_H
#define FMD_RUN_RUN_LIST_H

#include "run/config.h"
#include "run/reader/model_title.h"

/* Values that are not known are NAN or "". */
typedef struct fmd_run_entry {
    char path[FMD_PATH_BYTES];
    char id[FMD_PATH_BYTES]; /* the path below the folder */
    char model[FMD_MODEL_TITLE], data[64], started[32], state[16];
    double accuracy, val_accuracy, loss, seconds,
        epochs;         /* test accuracy; training loss and time */
    fmd_config *config; /* NULL: unreadable */
} fmd_run_entry;

typedef struct fmd_run_list {
    fmd_run_entry *at;
    size_t n, room;
} fmd_run_list;

/* Local. Reads all runs in `folder` and its subfolders; a run folder is not searched itself. Damaged
 * files leave values unknown. Released by free even on failure. FMD_ENOINPUT, FMD_ENOMEM. */
FMD_CHECKED fmd_status fmd_run_list_read(fmd_run_list *l, const char *folder);
void fmd_run_list_free(fmd_run_list *l);

/* The keys of a run, besides its options: "id|model|data|state|started|accuracy|...". */
extern const char *const fmd_run_keys;

/* Local. The value of a key or of an option: a number, or NAN with its text in `text`. FMD_EUSAGE: no
 * such key, with the nearest; `label` begins the message. */
FMD_CHECKED fmd_status fmd_run_entry_value(const fmd_run_entry *e, const char *key,
                                           const char *label, double *number,
                                           char text[FMD_OPTION_TEXT_BYTES]);

/* Local. Keeps the runs that meet all of "accuracy>0.88,state=done,model~conv": = != < > <= >=, and ~
 * for a part of a text. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_run_list_filter(fmd_run_list *l, const char *conditions);

/* Local. Sorts by a key: accuracies from the highest, times of the start from the latest, all others
 * from the lowest; "-KEY" is the other way round. Unknown values come last. FMD_EUSAGE. */
FMD_CHECKED fmd_status fmd_run_list_sort(fmd_run_list *l, const char *key);

#endif
