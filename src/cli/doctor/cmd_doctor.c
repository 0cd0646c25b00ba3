/* doctor: diagnoses launcher, binding, data and machine problems and suggests fixes. */
#include "base/format.h"
#include "base/mem.h"
#include "base/system/print.h"
#include "base/system/procfs.h"
#include "base/system/subprocess.h"
#include "base/timer.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/doctor/doctor.h"
#include "data/known_datasets.h"
#include "data/locate.h"
#include "data/source.h"
#include "dist/binding.h"
#include "io/json/json_object.h"
#include "math/gemm.h"
#include "run/job.h"
#include "run/weights_file.h"
#include "train/loader.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Bytes of Fashion-MNIST, where no data set is found. */
static const double default_bytes = 70000 * (28 * 28 + 1);

/* A message between ranks of one machine, which takes some microseconds, waits for a core where it
 * takes longer; one between machines, which takes some tens, for something else. */
static const double slow_message = 50e-6, slow_far_message = 1e-3;

/* For this long the ranks sleep, and look at who uses their processors meanwhile. */
static const struct timespec look_time = {.tv_nsec = 300000000};

static const char *plural(int n)
{
    return n == 1 ? "" : "s";
}

/* The launcher; NULL: none, the user started one rank. MPI itself sets PMIX_ variables then. */
static const char *launcher(int size)
{
    if (getenv("OMPI_COMM_WORLD_SIZE") != NULL)
        return "mpirun";
    if (size > 1 && getenv("SLURM_STEP_ID") != NULL)
        return "srun";
    return size > 1 || getenv("PMI_RANK") != NULL ? "a launcher other than mpirun and srun" : NULL;
}

/* The first line that `mpirun --version` prints; empty: there is no mpirun. */
static void read_mpirun(char line[256])
{
    char path[] = "/tmp/fmnist-dist-doctor-XXXXXX";
    fmd_command_line command = {.n = 0};
    int code = -1;
    line[0] = '\0';
    const int fd = mkstemp(path);
    if (fd < 0)
        return;
    if (fmd_command_line_split(&command, "mpirun --version") == FMD_OK &&
        fmd_subprocess_run(&command, path, path, &code) == FMD_OK && code == 0) {
        const ssize_t n = read(fd, line, 255);
        line[n > 0 ? n : 0] = '\0';
        line[strcspn(line, "\n")] = '\0';
    }
    close(fd);
    unlink(path);
}

/* One rank alone is fine, but the next step is mpirun, which may belong to another MPI. */
static void check_alone(fmd_findings *f)
{
    char mpirun[256];
    const char *library = fmd_comm_library();
    read_mpirun(mpirun);
    const bool open_mpi = strncmp(library, "Open MPI", 8) == 0;
    const bool other = *mpirun != '\0' && open_mpi != (strstr(mpirun, "Open MPI") != NULL ||
                                                       strstr(mpirun, "OpenRTE") != NULL);
    if (*mpirun == '\0')
        fmd_find(f, FMD_WARN, "launcher", "apt-get install openmpi-bin, or its folder into PATH",
                 "one rank, started alone; there is no mpirun in PATH to start several");
    else if (other)
        fmd_find(f, FMD_PROBLEM, "launcher", "put the mpirun of that MPI first in PATH",
                 "the mpirun in PATH ('%.60s') is not that of %s", mpirun, library);
    else
        fmd_find(f, FMD_FINE, "launcher", "",
                 "one rank, started alone; to see more: mpirun -np 2 fmnist-dist doctor");
}

/* False: the ranks do not see each other, and this is not the first of them. */
static bool check_launcher(fmd_findings *f, fmd_comm *c)
{
    const int size = fmd_comm_size(c), nodes = fmd_comm_nodes(c);
    fmd_find(f, FMD_FINE, "mpi", "", "%s, %d rank%s on %d host%s", fmd_comm_library(), size,
             plural(size), nodes, plural(nodes));
    if (fmd_comm_check_launcher(c) != FMD_OK) {
        char message[FMD_ERROR_BYTES];
        snprintf(message, sizeof message, "%s", fmd_error_message());
        char *cure = strrchr(message, ';');
        if (cure == NULL)
            return false;
        *cure = '\0';
        fmd_find(f, FMD_PROBLEM, "launcher", cure + 2, "%s", message);
    } else if (launcher(size) != NULL) {
        fmd_find(f, FMD_FINE, "launcher", "", "%s", launcher(size));
    } else {
        check_alone(f);
    }
    return true;
}

/* Collective. The correctness and latency of messages. */
static void check_messages(fmd_findings *f, fmd_comm *c)
{
    const int64_t size = fmd_comm_size(c), right = size * (size + 1) / 2;
    const int rounds = 50;
    bool good = true;
    if (size == 1)
        return;
    const double start = fmd_now();
    for (int i = 0; i < rounds; i++) {
        int64_t sum = fmd_comm_rank(c) + 1;
        fmd_comm_sum_i64(c, &sum, 1);
        good = good && sum == right;
    }
    const double seconds = (fmd_now() - start) / rounds;
    const double slow = fmd_comm_nodes(c) == 1 ? slow_message : slow_far_message;
    if (!good)
        fmd_find(f, FMD_PROBLEM, "messages", "another version of MPI",
                 "an allreduce over %" PRId64 " ranks gives a wrong sum", size);
    else
        fmd_find(f, seconds > slow ? FMD_WARN : FMD_FINE, "messages",
                 "a core for each rank alone; on several hosts, the fast network",
                 "an allreduce of 8 bytes takes %.1f us", seconds * 1e6);
}

/* Our own kernels use all instruction sets of the processor; those of OpenBLAS may lag behind. */
static void check_kernels(fmd_findings *f)
{
    const char *core = fmd_math_instructions();
    if (fmd_math_is_own()) {
        fmd_find(f, FMD_FINE, "kernels", "", "our own, %s", core);
        return;
    }
#if defined(__x86_64__)
    static const char *const avx512 = "SkylakeX Cooperlake Sapphirerapids";
    static const char *const avx2 = "Haswell Zen Excavator";
    const bool fast = strstr(avx512, core) != NULL;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && !fast) {
        fmd_find(f, FMD_WARN, "kernels", "--gemm own, or OPENBLAS_CORETYPE=SkylakeX on all ranks",
                 "OpenBLAS uses its %s kernels, but this processor has AVX-512", core);
        return;
    }
    if (__builtin_cpu_supports("avx2") && !fast && strstr(avx2, core) == NULL) {
        fmd_find(f, FMD_WARN, "kernels", "--gemm own, or OPENBLAS_CORETYPE=Haswell on all ranks",
                 "OpenBLAS uses its %s kernels, but this processor has AVX2", core);
        return;
    }
#endif
    fmd_find(f, FMD_FINE, "kernels", "", "OpenBLAS %s", core);
}

/* Collective. */
static void check_blas(fmd_findings *f, fmd_comm *c)
{
    char core[64] = "";
    const char *blas;
    if (fmd_math_blas(&blas) == FMD_OK)
        fmd_find(f, FMD_FINE, "blas", "", "%s", blas);
    else
        fmd_find(f, FMD_WARN, "blas", "install OpenBLAS, or do without --gemm openblas", "%s",
                 fmd_error_message());
    snprintf(core, sizeof core, "%s", fmd_math_core());
    if (fmd_comm_same(c, core, sizeof core, "the kernels of matrix products") != FMD_OK)
        fmd_find(f, FMD_PROBLEM, "kernels", "--gemm own, or OPENBLAS_CORETYPE=Haswell on all ranks",
                 "%s", fmd_error_message());
}

/* Collective. The binding of the ranks of each host; rank 0 has the findings. */
static fmd_status check_cores(fmd_findings *f, fmd_comm *c, int threads)
{
    static const char *const cures[] = {
        [FMD_BINDING_GOOD] = "",
        [FMD_BINDING_HYPER] = "at most one thread to a core, mpirun --map-by core",
        [FMD_BINDING_NARROW] = "mpirun --map-by slot:PE=THREADS, srun --cpus-per-task=THREADS",
        [FMD_BINDING_SHARED] = "mpirun --bind-to core --map-by core, srun --cpu-bind=cores",
        [FMD_BINDING_CROWDED] = "fewer ranks or --threads, at most one to a core; or more hosts",
    };
    const int size = fmd_comm_size(c);
    fmd_binding mine, *all = NULL;
    fmd_status st = fmd_binding_find(&mine, fmd_comm_host(c));
    if (st == FMD_OK && fmd_comm_rank(c) == 0)
        st = fmd_alloc(&all, (size_t)size, sizeof *all, "the bindings");
    if ((st = fmd_comm_agree(c, st)) != FMD_OK)
        return st;
    fmd_comm_gather(c, &mine, sizeof mine, all);
    for (int i = 0; all != NULL && i < size; i++) {
        fmd_binding_verdict v;
        bool seen = false;
        for (int k = 0; k < i; k++)
            seen = seen || strcmp(all[k].host, all[i].host) == 0;
        if (seen)
            continue;
        fmd_binding_judge(&v, all, size, all[i].host, threads);
        fmd_find(f,
                 v.kind == FMD_BINDING_GOOD    ? FMD_FINE
                 : v.kind == FMD_BINDING_HYPER ? FMD_WARN
                                               : FMD_PROBLEM,
                 "cores", cures[v.kind], "%s", v.text);
    }
    free(all);
    return FMD_OK;
}

/* Collective. The data set is loaded and its hashes are compared. */
static void check_data(fmd_findings *f, fmd_comm *c, const fmd_config *config)
{
    fmd_dataset data;
    const bool known = strcmp(config->data.dataset, "mnist") == 0;
    const fmd_status st = fmd_loader_read(c, config->data.dataset, config->data.dir, &data);
    if (fmd_comm_rank(c) != 0)
        return;
    if (st != FMD_OK) {
        fmd_find(f, FMD_PROBLEM, "data",
                 st == FMD_ENOMEM ? "more memory: see memory and shm"
                 : known          ? "fmnist-dist data get mnist"
                                  : "fmnist-dist data get fashion-mnist",
                 "%.500s", fmd_error_message());
        return;
    }
    bool same[FMD_DATASET_FILES];
    const bool published = fmd_source_published(&data.info, same) != NULL;
    const bool named = !fmd_locate_is_path(config->data.dataset);
    fmd_find(f, named && published && !data.info.verified ? FMD_WARN : FMD_FINE, "data",
             "fmnist-dist data get, for the published ones", "%s in %.300s: %zu + %zu images, %s",
             data.info.name, data.info.path, data.info.n_train, data.info.n_test,
             data.info.verified ? "verified" : "unverified");
}

/* Whether two ranks of one host see the same processors busy; their shares differ a little. */
static bool is_same_load(const fmd_finding *a, const fmd_finding *b, const char *own_host,
                         const char *host)
{
    const char *here = strstr(a->text, "processor"), *there = strstr(b->text, "processor");
    return strcmp(a->topic, "load") == 0 && strcmp(b->topic, "load") == 0 && here != NULL &&
           there != NULL && strcmp(here, there) == 0 && strcmp(own_host, host) == 0;
}

/* Collective. Adds to the findings of rank 0 the warnings and problems of the other ranks that it
 * does not have. */
static fmd_status collect_hosts(fmd_findings *f, fmd_comm *c)
{
    const int size = fmd_comm_size(c);
    fmd_findings *all = NULL;
    char *hosts = NULL, host[64] = "";
    fmd_status st = FMD_OK;
    if (fmd_comm_rank(c) == 0) {
        st = fmd_alloc(&all, (size_t)size, sizeof *all, "the findings");
        if (st == FMD_OK)
            st = fmd_alloc(&hosts, (size_t)size, sizeof host, "the names of the hosts");
    }
    if ((st = fmd_comm_agree(c, st)) != FMD_OK)
        goto out;
    snprintf(host, sizeof host, "%s", fmd_comm_host(c));
    fmd_comm_gather(c, f, sizeof *f, all);
    fmd_comm_gather(c, host, sizeof host, hosts);
    for (int i = 1; all != NULL && hosts != NULL && i < size; i++)
        for (int k = 0; k < all[i].n; k++) {
            const fmd_finding *one = &all[i].item[k];
            bool known = one->grade == FMD_FINE;
            for (int m = 0; m < f->n; m++)
                known = known || strcmp(one->text, f->item[m].text) == 0 ||
                        is_same_load(one, &f->item[m], hosts, hosts + (size_t)i * sizeof host);
            if (!known)
                fmd_find(f, (fmd_grade)one->grade, one->topic, one->cure, "%s: %.440s",
                         hosts + (size_t)i * sizeof host, one->text);
        }
out:
    free(all);
    free(hosts);
    return st;
}

static int count(const fmd_findings *f, fmd_grade grade)
{
    int n = 0;
    for (int i = 0; i < f->n; i++)
        n += f->item[i].grade == (int)grade;
    return n;
}

static const char *const grades[] = {
    [FMD_FINE] = "ok", [FMD_WARN] = "warn", [FMD_PROBLEM] = "problem"};

static void print_findings(const fmd_findings *f)
{
    for (int i = 0; i < f->n; i++) {
        const fmd_finding *one = &f->item[i];
        fmd_print("%-7s  %-8s  %s%s%s\n", grades[one->grade], one->topic, one->text,
                  *one->cure != '\0' ? " -> " : "", one->cure);
    }
    const int problems = count(f, FMD_PROBLEM), warnings = count(f, FMD_WARN);
    fmd_print("%d problem%s, %d warning%s\n", problems, plural(problems), warnings,
              plural(warnings));
}

static fmd_status append_finding(fmd_json *j, const fmd_finding *one)
{
    fmd_json *row;
    FMD_TRY(fmd_json_create(&row));
    fmd_json_text(row, NULL, "grade", grades[one->grade]);
    fmd_json_text(row, NULL, "topic", one->topic);
    fmd_json_text(row, NULL, "text", one->text);
    fmd_json_text(row, NULL, "cure", one->cure);
    fmd_json_append_object(j, "findings", row);
    fmd_json_destroy(row);
    return FMD_OK;
}

static fmd_status print_json(const fmd_findings *f)
{
    fmd_json *j;
    fmd_status st = FMD_OK;
    FMD_TRY(fmd_json_create(&j));
    fmd_json_int(j, NULL, "problems", count(f, FMD_PROBLEM));
    fmd_json_int(j, NULL, "warnings", count(f, FMD_WARN));
    for (int i = 0; i < f->n && st == FMD_OK; i++)
        st = append_finding(j, &f->item[i]);
    if (st == FMD_OK)
        st = fmd_print_json(j);
    fmd_json_destroy(j);
    return st;
}

/* Collective, so that all ranks sleep at the same time: whoever is busy then is another process. */
static fmd_status check_load(fmd_findings *f, fmd_comm *c, int threads)
{
    fmd_binding mine;
    char cpus[FMD_BINDING_TEXT];
    double all[2], busy[2];
    FMD_TRY(fmd_comm_agree(c, fmd_binding_find(&mine, fmd_comm_host(c))));
    bool known = fmd_procfs_ticks("", mine.hyper.word, FMD_BINDING_WORDS, &all[0], &busy[0]);
    nanosleep(&look_time, NULL);
    known = fmd_procfs_ticks("", mine.hyper.word, FMD_BINDING_WORDS, &all[1], &busy[1]) && known;
    if (!known || all[1] <= all[0])
        return FMD_OK;
    const double share = (busy[1] - busy[0]) / (all[1] - all[0]);
    const int n = fmd_cpus_count(&mine.hyper);
    /* Ranks that are not bound share all processors. */
    const int needed = n >= mine.n_cores ? fmd_comm_node_size(c) * threads : threads;
    const bool free = n * (1 - share) > 0.75 * needed;
    if (free && fmd_comm_rank(c) != 0)
        return FMD_OK;
    fmd_find(f, free ? FMD_FINE : FMD_WARN, "load",
             "wait for them, or other cores: mpirun --cpu-set, --bind-to none",
             "other processes use %.0f %% of processor%s %s", 100 * share, plural(n),
             fmd_cpus_text(&mine.hyper, cpus));
    return FMD_OK;
}

/* Collective. As a training with the default options measures them. */
static fmd_status find_needs(fmd_needs *needs, fmd_comm *c, const fmd_config *config)
{
    enum { ROWS = 32, BATCH = 256 };
    const fmd_weights_file none = {.path = ""};
    fmd_model_size size;
    fmd_source *source;
    fmd_shape image = FMD_MNIST_IMAGE;
    double bytes = default_bytes;
    if (fmd_comm_rank(c) == 0 &&
        fmd_source_open(&source, config->data.dataset, config->data.dir) == FMD_OK) {
        bytes = (double)fmd_source_bytes(source);
        image = fmd_source_info(source)->image;
        fmd_source_close(source);
    }
    fmd_comm_bcast(c, &bytes, sizeof bytes);
    fmd_comm_bcast(c, &image, sizeof image);
    FMD_TRY(fmd_weights_file_measure(&size, &none, config, image, 10));
    const int ranks = fmd_comm_node_size(c);
    fmd_node_memory m;
    FMD_TRY(
        fmd_job_predict_memory(&m, config, &size, ranks, fmd_model_size_group(&size, ROWS, BATCH)));
    *needs = (fmd_needs){.total_bytes = bytes + fmd_job_memory_sum(&m, ranks),
                         .shared_bytes = bytes + ranks * m.message_bytes + m.shared_bytes,
                         .ranks = ranks,
                         .threads = (int)config->distribution.threads,
                         .host = fmd_comm_host(c)};
    return FMD_OK;
}

/* Collective. All checks; rank 0 has all findings. */
static fmd_status examine(fmd_findings *f, fmd_comm *c, const fmd_config *config)
{
    char parts[FMD_PARTS_TEXT];
    fmd_needs needs = {.ranks = 0};
    const bool named = strcmp(config->run.dir, "auto") != 0 && strcmp(config->run.dir, "none") != 0;
    FMD_TRY(fmd_comm_agree(c, find_needs(&needs, c, config)));
    FMD_TRY(check_cores(f, c, needs.threads));
    check_messages(f, c);
    fmd_find(f, FMD_FINE, "parts", "", "%s", fmd_part_list(parts));
    check_blas(f, c);
    if (fmd_comm_rank(c) != 0)
        f->n = 0; /* findings on the whole job are those of rank 0 */
    FMD_TRY(check_load(f, c, needs.threads));
    if (fmd_comm_node_rank(c) == 0) {
        check_kernels(f);
        fmd_doctor_machine(f, "", &needs);
        fmd_doctor_leftovers(f, "");
    }
    check_data(f, c, config);
    if (fmd_comm_rank(c) == 0)
        fmd_doctor_folder(f, named ? config->run.dir : "runs");
    return collect_hosts(f, c);
}

static fmd_status run_doctor(fmd_comm *c, const fmd_config *config)
{
    fmd_findings *f = NULL;
    FMD_TRY(fmd_alloc(&f, 1, sizeof *f, "the findings"));
    fmd_status st = FMD_OK;
    int problems = 0;
    if (!check_launcher(f, c)) {
        st = FMD_FAIL_SILENTLY(FMD_EUNFIT);
        goto out;
    }
    if ((st = examine(f, c, config)) != FMD_OK)
        goto out;
    if (fmd_comm_rank(c) == 0) {
        problems = count(f, FMD_PROBLEM);
        if (config->view.json)
            st = print_json(f);
        else
            print_findings(f);
    }
    if (st == FMD_OK && problems > 0)
        st = FMD_FAIL_SILENTLY(FMD_EUNFIT);
    st = fmd_comm_agree(c, st);
out:
    free(f);
    return st;
}

const fmd_command fmd_command_doctor = {
    .name = "doctor",
    .usage = "[OPTIONS]",
    .help = "diagnoses launcher, binding, data and machine problems, suggests fixes",
    .groups = "data|distribution|run|json|output",
    .needs_mpi = true,
    .judges_launcher = true,
    .run = run_doctor,
};
