/* Losses, class weights and metrics against real Keras. Categorical hinge, balanced accuracy and mixed
 * targets, of which there are no numbers, are compared with plain sums in double. */
#include "support/fmd_test.h"
#include "support/golden.h"

#include "nn/metrics/metric.h"

#include <math.h>
#include <string.h>

enum { ROWS = 12, CLASSES = 10, VALUES = ROWS * CLASSES };

static const double loss_limit = 2e-6, gradient_limit = 5e-6;

static double loss_of(fmd_loss_sums s)
{
    assert_int_equal(s.failed, 0);
    return (double)s.loss * FMD_LOSS_UNIT;
}

static fmd_loss loss_from(const char *spec)
{
    fmd_loss loss;
    assert_ok(fmd_loss_parse(&loss, spec));
    return loss;
}

/* How far the loss is from that of Keras, in limits. */
static double compare(const char *name, const char *spec, bool check)
{
    golden *g = golden_open("losses");
    const float *z = golden_floats(g, VALUES, "logits");
    const double *expected = golden_doubles(g, VALUES, "%s/gz64", name);
    const double loss = *golden_doubles(g, 1, "%s/loss64", name);
    const fmd_loss l = loss_from(spec);
    fmd_loss_sums sums = {.of = ROWS};
    float grads[VALUES];
    closeness c = {.what = name};
    fmd_loss_samples(&l, z, &(fmd_targets){.labels = golden_bytes(g, ROWS, "labels")}, ROWS, ROWS,
                     CLASSES, grads, &sums);
    closeness_add(&c, fabs(loss_of(sums) / ROWS - loss) / fmax(1, fabs(loss)), loss_limit,
                  "%s: loss", name);
    double most = 1e-3;
    for (size_t i = 0; i < VALUES; i++)
        most = fmax(most, fabs(expected[i]));
    for (size_t i = 0; i < VALUES; i++)
        closeness_add(&c, fabs((double)grads[i] / ROWS - expected[i]) / most, gradient_limit,
                      "%s: gradient %zu", name, i);
    if (check)
        closeness_check(&c);
    golden_close(g);
    return c.parts;
}

static void test_golden_losses__losses_and_gradients_are_those_of_keras(void **state)
{
    (void)state;
    compare("scce_logits", "sparse_categorical_crossentropy", true);
    compare("cce_ls01", "sparse_categorical_crossentropy:label_smoothing=0.1", true);
    compare("mse_probs", "mse", true);
    /* Controls: what must not pass. */
    assert_true(
        compare("cce_ls01", "sparse_categorical_crossentropy:label_smoothing=0.101", false) > 1);
    assert_true(compare("mse_probs", "categorical_hinge", false) > 1);
}

/* One batch of 20 through dense:4:softmax with SGD at rate 1. */
static void test_golden_losses__class_weights_are_those_of_keras(void **state)
{
    (void)state;
    enum { N = 20, IN = 6, OUT = 4 };
    golden *g = golden_open("losses");
    const float *x = golden_floats(g, N * IN, "model/inputs"),
                *w = golden_floats(g, IN * OUT, "model/w0");
    const float *b = golden_floats(g, OUT, "model/w1");
    const fmd_targets targets = {.labels = golden_bytes(g, N, "model/y"),
                                 .class_weight = golden_floats(g, OUT, "model/class_weight")};
    fmd_loss_sums sums = {.of = N};
    float z[N * OUT];
    closeness c = {.what = "class_weight"};
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < OUT; j++) {
            z[i * OUT + j] = b[j];
            for (size_t k = 0; k < IN; k++)
                z[i * OUT + j] += x[i * IN + k] * w[k * OUT + j];
        }
    fmd_loss_samples(&(fmd_loss){.ops = NULL}, z, &targets, N, N, OUT, z, &sums);
    closeness_add(&c, fabs(loss_of(sums) / N - (double)*golden_floats(g, 1, "model/batch_loss")),
                  loss_limit, "loss");
    closeness_add(
        &c, fabs((double)sums.correct / N - (double)*golden_floats(g, 1, "model/batch_accuracy")),
        loss_limit, "accuracy, which ignores the weights");
    for (size_t j = 0; j < OUT; j++) {
        double change = 0;
        for (size_t i = 0; i < N; i++)
            change += (double)z[i * OUT + j] / N;
        closeness_add(
            &c, fabs((double)b[j] - change - (double)golden_floats(g, OUT, "model/after1")[j]),
            loss_limit, "bias %zu", j);
    }
    closeness_check(&c);
    golden_close(g);
}

/* A row of targets in double. */
static void plain_target(const fmd_targets *t, size_t i, double y[CLASSES])
{
    const double share = t->others != NULL ? (double)t->shares[i] : 1;
    memset(y, 0, CLASSES * sizeof *y);
    y[t->labels[i]] += share;
    if (t->others != NULL)
        y[t->others[i]] += 1 - share;
}

static double plain_loss(const char *name, const double *z, const double *y)
{
    double p[CLASSES], sum = 0, top = -HUGE_VAL, loss = 0, pos = 0, neg = 0;
    for (size_t j = 0; j < CLASSES; j++)
        top = fmax(top, z[j]);
    for (size_t j = 0; j < CLASSES; j++)
        sum += p[j] = exp(z[j] - top);
    for (size_t j = 0; j < CLASSES; j++) {
        p[j] /= sum;
        if (strcmp(name, "mse") == 0)
            loss += (p[j] - y[j]) * (p[j] - y[j]) / CLASSES;
        else if (y[j] > 0)
            loss += y[j] * (log(sum) - (z[j] - top));
        pos += y[j] * p[j];
        neg = fmax(neg, (1 - y[j]) * p[j]);
    }
    return strcmp(name, "categorical_hinge") == 0 ? fmax(neg - pos + 1, 0) : loss;
}

/* The gradient against differences of the loss in double, and the loss itself. */
static void compare_plainly(const char *name, const fmd_targets *t, const float *z, closeness *c)
{
    const fmd_loss l = loss_from(name);
    fmd_loss_sums sums = {.of = ROWS};
    float grads[VALUES];
    double loss = 0;
    fmd_loss_samples(&l, z, t, ROWS, ROWS, CLASSES, grads, &sums);
    for (size_t i = 0; i < ROWS; i++) {
        double y[CLASSES], logits[CLASSES];
        plain_target(t, i, y);
        for (size_t j = 0; j < CLASSES; j++)
            logits[j] = (double)z[i * CLASSES + j];
        loss += plain_loss(name, logits, y);
        for (size_t j = 0; j < CLASSES; j++) {
            const double step = 0x1p-14;
            double up[CLASSES], down[CLASSES];
            memcpy(up, logits, sizeof up);
            memcpy(down, logits, sizeof down);
            up[j] += step;
            down[j] -= step;
            const double slope = (plain_loss(name, up, y) - plain_loss(name, down, y)) / (2 * step);
            closeness_add(c, fabs((double)grads[i * CLASSES + j] - slope), 2e-5,
                          "%s: gradient %zu of sample %zu", name, j, i);
        }
    }
    closeness_add(c, fabs(loss_of(sums) - loss) / ROWS, loss_limit, "%s: loss", name);
}

static void test_golden_losses__every_loss_takes_hard_and_mixed_targets(void **state)
{
    (void)state;
    static const char *const names[] = {"sparse_categorical_crossentropy", "mse",
                                        "categorical_hinge"};
    uint8_t labels[ROWS], others[ROWS];
    float z[VALUES], shares[ROWS];
    closeness c = {.what = "losses and differences"};
    for (size_t i = 0; i < ROWS; i++) {
        labels[i] = (uint8_t)(i % CLASSES);
        others[i] = (uint8_t)(i * 7 % CLASSES);
        shares[i] = (float)(i + 1) / (ROWS + 1);
        for (size_t j = 0; j < CLASSES; j++)
            z[i * CLASSES + j] = sinf((float)(3 * i + 7 * j)) * 2;
    }
    const fmd_targets hard = {.labels = labels};
    const fmd_targets mixed = {.labels = labels, .others = others, .shares = shares};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        compare_plainly(names[i], &hard, z, &c);
        compare_plainly(names[i], &mixed, z, &c);
    }
    closeness_check(&c);
}

static void test_golden_losses__the_larger_share_is_the_label(void **state)
{
    (void)state;
    const uint8_t labels[] = {1, 1, 1}, others[] = {2, 2, 2};
    const float shares[] = {0.75f, 0.5f, 0.25f};
    const fmd_targets t = {.labels = labels, .others = others, .shares = shares};
    assert_int_equal(fmd_target_label(&t, 0), 1);
    assert_int_equal(fmd_target_label(&t, 1), 1);
    assert_int_equal(fmd_target_label(&t, 2), 2);
}

static void test_golden_losses__metrics_are_those_of_keras(void **state)
{
    (void)state;
    enum { N = 60 };
    static const char *const names[] = {"top1", "top3", "top5", "f1_macro"};
    golden *g = golden_open("losses");
    const float *p = golden_floats(g, N * CLASSES, "metrics/p");
    const fmd_targets t = {.labels = golden_bytes(g, N, "metrics/y")};
    fmd_metric_list l;
    int64_t counters[1024] = {0};
    double values[FMD_METRICS_MAX];
    closeness c = {.what = "metrics"};
    assert_ok(fmd_metric_list_parse(&l, "accuracy,top_k:1,top_3,top_k,f1", CLASSES));
    assert_int_equal(l.n, 4);
    fmd_metric_list_count(&l, p, &t, 23, counters); /* in two parts */
    fmd_metric_list_count(&l, p + (size_t)23 * CLASSES, &(fmd_targets){.labels = t.labels + 23},
                          N - 23, counters);
    fmd_metric_list_values(&l, counters, values);
    for (size_t i = 0; i < 4; i++)
        closeness_add(&c, fabs(values[i] - (double)*golden_floats(g, 1, "metrics/%s", names[i])),
                      2e-6, "%s", names[i]);
    closeness_check(&c);
    golden_close(g);
}

static void test_golden_losses__balanced_accuracy_is_the_mean_recall(void **state)
{
    (void)state;
    const float scores[] = {2, 1, 0, 2, 1, 0, 0, 1, 2, 2, 1, 0};
    const uint8_t labels[] = {0, 0, 2, 2}; /* class 1 does not occur */
    fmd_metric_list l;
    int64_t counters[16] = {0};
    double values[FMD_METRICS_MAX];
    assert_ok(fmd_metric_list_parse(&l, "balanced_accuracy", 3));
    fmd_metric_list_count(&l, scores, &(fmd_targets){.labels = labels}, 4, counters);
    fmd_metric_list_values(&l, counters, values);
    assert_true(values[0] == (1 + 0.5) / 2);
}

static void test_golden_losses__columns_have_names(void **state)
{
    (void)state;
    fmd_metric_list l;
    assert_ok(fmd_metric_list_parse(&l, "accuracy,top_k:3,f1", 10));
    assert_string_equal(fmd_metric_column(&l.of[0]), "top_3");
    assert_string_equal(l.of[0].val_name, "val_top_3");
    assert_string_equal(fmd_metric_column(&l.of[1]), "f1");
    assert_non_null(fmd_metric_ops_of_column("val_top_3"));
    assert_null(fmd_metric_ops_of_column("top_k"));
    assert_null(fmd_metric_ops_of_column("f12"));
    assert_null(fmd_metric_ops_of_column("to"));
    assert_fails(fmd_metric_list_parse(&l, "f2", 10), FMD_EUSAGE,
                 "--metrics: 'f2' is not one of accuracy|top_k|balanced_accuracy|f1 (did you mean "
                 "'f1'?)");
    assert_fails(fmd_metric_list_parse(&l, "top_k:11", 10), FMD_EUSAGE,
                 "--metrics: 'top_k:11' needs a whole number from 1 to 10, the number of classes");
    assert_fails(fmd_metric_list_parse(&l, "f1,f1", 10), FMD_EUSAGE,
                 "--metrics: f1 is given twice");
    assert_fails(fmd_metric_list_parse(&l, "val_f1", 10), FMD_EUSAGE,
                 "--metrics: 'val_f1' is not one of accuracy|top_k|balanced_accuracy|f1");
}

static void test_golden_losses__wrong_losses_are_refused(void **state)
{
    (void)state;
    fmd_loss l;
    assert_fails(fmd_loss_parse(&l, "hinge"), FMD_EUSAGE,
                 "--loss: 'hinge' is not one of "
                 "sparse_categorical_crossentropy|mean_squared_error|categorical_hinge");
    assert_int_equal(fmd_loss_parse(&l, "mse:label_smoothing=0.1"), FMD_EUSAGE);
    assert_int_equal(fmd_loss_parse(&l, "sparse_categorical_crossentropy:label_smoothing=2"),
                     FMD_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_losses__losses_and_gradients_are_those_of_keras),
        cmocka_unit_test(test_golden_losses__class_weights_are_those_of_keras),
        cmocka_unit_test(test_golden_losses__every_loss_takes_hard_and_mixed_targets),
        cmocka_unit_test(test_golden_losses__the_larger_share_is_the_label),
        cmocka_unit_test(test_golden_losses__metrics_are_those_of_keras),
        cmocka_unit_test(test_golden_losses__balanced_accuracy_is_the_mean_recall),
        cmocka_unit_test(test_golden_losses__columns_have_names),
        cmocka_unit_test(test_golden_losses__wrong_losses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
