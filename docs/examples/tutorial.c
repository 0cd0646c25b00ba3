/* Keras' beginner tutorial with the C library: trains on Fashion-MNIST until the accuracy reaches a
 * goal, evaluates and saves the model. mpirun -np 2 ./tutorial [DATA SET] [GOAL] */
#include <fmd/fmd.h>

#include <stdio.h>
#include <stdlib.h>

static const char layers[] = "flatten,dense:128:relu,dense:10:softmax";

static fmd_status stop_at_goal(void *self, const fmd_event *e, fmd_control *control)
{
    const double goal = *(const double *)self, accuracy = fmd_event_metric(e, "accuracy");
    printf("epoch %d: accuracy %.4f\n", fmd_event_epoch(e) + 1, accuracy);
    if (accuracy >= goal)
        fmd_control_stop(control, "reached %g %% accuracy", 100 * goal);
    return FMD_OK;
}

static fmd_status run(fmd_comm *comm, const char *name, double goal)
{
    fmd_dataset *data;
    fmd_model *model;
    fmd_trainer *trainer;
    double loss, accuracy;
    FMD_TRY(fmd_dataset_load(&data, comm, name, NULL));
    FMD_TRY(fmd_model_build(&model, layers, fmd_dataset_image_shape(data)));
    fmd_model_init(model, 0);
    FMD_TRY(fmd_trainer_create(&trainer, comm, model, data));
    FMD_TRY(fmd_trainer_set(trainer, "optimizer", "adam"));
    FMD_TRY(fmd_trainer_set(trainer, "epochs", "10"));
    FMD_TRY(fmd_trainer_on_epoch_end(trainer, stop_at_goal, &goal));
    FMD_TRY(fmd_trainer_fit(trainer));
    FMD_TRY(fmd_trainer_evaluate(trainer, FMD_SPLIT_TEST, &loss, &accuracy));
    if (fmd_comm_rank(comm) == 0) {
        printf("%s\ntest: loss %.4f, accuracy %.4f\n", fmd_trainer_stop_reason(trainer), loss,
               accuracy);
        FMD_TRY(fmd_model_save(model, "tutorial.weights.h5", 255));
    }
    fmd_trainer_destroy(trainer);
    fmd_model_destroy(model);
    fmd_dataset_destroy(data);
    return FMD_OK;
}

int main(int argc, char **argv)
{
    fmd_comm *comm = NULL;
    fmd_status status = fmd_comm_open(&comm);
    if (status == FMD_OK)
        status = run(comm, argc > 1 ? argv[1] : "fashion-mnist", argc > 2 ? atof(argv[2]) : 0.9);
    if (status != FMD_OK)
        fprintf(stderr, "tutorial: %s\n", fmd_error_message());
    fmd_comm_close(comm);
    return status;
}
