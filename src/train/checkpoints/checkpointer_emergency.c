#include "train/checkpoints/checkpointer_private.h"

#include "base/log.h"
#include "train/checkpoints/node_copy.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = FMD_STEP_FILES_PATH, NAME_BYTES = FMD_STEP_FILES_NAME, EMERGENCIES = 2 };

/* Seconds between mpirun's TERM and KILL, as Open MPI has them; how long the watchdog waits first. */
static const double open_mpi_leaves = 1, watchdog_waits = 0.1;

/* Seconds that mpirun leaves the survivors of a dead rank; INFINITY without mpirun. */
static double seconds_left(void)
{
    const char *set = getenv("OMPI_MCA_odls_base_sigkill_timeout");
    if (getenv("OMPI_COMM_WORLD_SIZE") == NULL)
        return (double)INFINITY;
    return set != NULL ? strtod(set, NULL) : open_mpi_leaves;
}

/* A copy in memory takes as long as the image, which was copied once already. */
void fmd_checkpointer_foresee(fmd_checkpointer *s)
{
    const double left = seconds_left();
    const double memory = watchdog_waits + 2 * s->job.waited;
    const double disk = watchdog_waits + s->job.waited + s->job.seconds;
    if (s->slow || disk <= left)
        return;
    s->slow = true;
    if (memory <= left && fmd_node_copy_fits((double)s->job.image.bytes))
        fmd_warn(
            "if a rank dies, the others have %.3g s to save the state, but need %.1f s: a "
            "restart resumes from a copy in /dev/shm, if it uses the same node; else the steps "
            "since the last checkpoint are lost: see --save-freq, or set "
            "OMPI_MCA_odls_base_sigkill_timeout=%.0f",
            left, disk, ceil(2 * disk));
    else
        fmd_warn("if a rank dies, the others have %.3g s to save the state, but need %.1f s: the "
                 "steps since the last checkpoint are lost; set "
                 "OMPI_MCA_odls_base_sigkill_timeout=%.0f, or a lower --save-freq",
                 left, disk, ceil(2 * disk));
}

/* One surviving rank of the node keeps a copy in its memory: that is fast. */
static void copy_to_node(const fmd_checkpointer *s, const fmd_state *state,
                         fmd_checkpoint_image *image)
{
    const int fd = fmd_node_copy_claim(&s->args.lock, state->step);
    if (fd < 0)
        return;
    if (fmd_checkpoint_build(image, "/dev/shm", state) == FMD_OK) {
        fmd_checkpoint_seal(image);
        fmd_node_copy_fill(fd, &s->args.lock, image);
        return;
    }
    close(fd);
    fmd_node_copy_remove(&s->args.lock, state->step);
}

/* One surviving rank writes the file, from the copy if it has made one. */
static void write_file(const fmd_checkpointer *s, const fmd_state *state, const char *name,
                       fmd_checkpoint_image *image)
{
    const fmd_status st = image->data != NULL
                              ? fmd_step_files_store(&s->files, name, image)
                              : fmd_checkpointer_write_now(s, name, state, fmd_step_files_store);
    const fmd_status linked = st == FMD_OK ? fmd_step_files_link_latest(&s->files, name) : FMD_OK;
    (void)linked; /* the link is for people; the next start makes it */
}

/* If mpirun ends the writing rank too early, a second one has time to try. Several may write at
 * once: they write the same bytes and rename them. */
void fmd_checkpointer_emergency(fmd_checkpointer *s, const fmd_state *state)
{
    const struct timespec turn = {.tv_nsec = 250000000};
    char name[NAME_BYTES], path[PATH_BYTES], claim[NAME_BYTES], claimed[PATH_BYTES];
    fmd_checkpoint_image image = {.data = NULL};
    fmd_step_files_path(&s->files, fmd_step_files_name(state->step, name), path);
    /* A folder of another process by now gets no copy; one that this node does not see does. */
    if (access(path, F_OK) == 0 ||
        (access(s->args.run_folder, F_OK) == 0 && fmd_step_files_check(&s->files) != FMD_OK))
        return;
    copy_to_node(s, state, &image);
    fmd_background_wait(s->thread);
    for (int i = 0; i < EMERGENCIES && access(path, F_OK) != 0; i++) {
        snprintf(claim, sizeof claim, FMD_EMERGENCY_CLAIM "%" PRIu64 "-%d", state->step, i);
        const int fd = open(fmd_step_files_path(&s->files, claim, claimed),
                            O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        if (fd < 0) {
            nanosleep(&turn, NULL);
            continue;
        }
        close(fd);
        write_file(s, state, name, &image);
        unlink(claimed);
        break;
    }
    if (image.data != NULL && access(path, F_OK) == 0)
        fmd_node_copy_remove(&s->args.lock, state->step);
    free(image.data);
}

fmd_status fmd_checkpointer_recover(fmd_checkpointer *s, fmd_comm *c)
{
    char name[NAME_BYTES], node[FMD_NODE_COPY_HOST];
    struct dirent **names = NULL;
    fmd_checkpoint_image image;
    uint64_t newest = 0;
    if (fmd_comm_rank(c) == 0) {
        const int n = fmd_step_files_list(&s->files, fmd_step_files_is_step, &names);
        newest = n > 0 ? fmd_step_files_step(names[0]->d_name) : 0;
        fmd_step_files_free_list(names, n);
    }
    FMD_TRY(fmd_node_copy_recover(c, &s->args.lock, newest, &image, node));
    fmd_status st = FMD_OK;
    if (image.data != NULL) {
        fmd_warn("the newest state of the run, after step %" PRIu64
                 ", was in the memory of %s only: it goes into the run folder now",
                 image.step, node);
        st =
            fmd_step_files_store_or_prune(&s->files, fmd_step_files_name(image.step, name), &image);
        free(image.data);
    }
    FMD_TRY(fmd_comm_agree(c, st));
    if (fmd_comm_node_rank(c) == 0)
        fmd_node_copy_remove_all(&s->args.lock);
    return FMD_OK;
}
