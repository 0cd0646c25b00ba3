/* Measure how many images a second KANN trains, as a peer for fmnist-dist.
 *
 * The work is that of pytorch.py, but the optimizer is the one that KANN has: RMSprop, with one
 * moment where Adam has two. The loop is that of kann_train_fnn1 without the counting of errors: a
 * batch is copied together from float images, cost and gradients, update. --threads N makes
 * kann_mt() split each batch over N threads. One epoch warms up, then each timed epoch prints
 *
 *   <batch size> <images per second> <mean training loss>
 *
 * and after the last one the accuracy on the test images, on stderr. compare builds it against a
 * checkout of github.com/attractivechaos/kann, with OpenBLAS; set OPENBLAS_NUM_THREADS=1. */
#include "kann.h"

#include "peer.h"

typedef struct trainer {
    kann_t *net;
    float *x, *y; /* a batch: images, and truth as one-hot rows */
    float *moment;
    int *order;
} trainer;

/* KANN's convolutions have no bias. */
static kad_node_t *conv_relu_pool(kad_node_t *x, int filters)
{
    return kad_max2d(kad_relu(kann_layer_conv2d(x, filters, 3, 3, 1, 1, 1, 1)), 2, 2, 2, 2, 0, 0);
}

static kad_node_t *net_a(void)
{
    kad_node_t *x = kad_feed(4, 1, 1, 28, 28);
    x->ext_flag |= KANN_F_IN;
    return kad_relu(kann_layer_dense(conv_relu_pool(conv_relu_pool(x, 32), 64), 128));
}

static trainer create(const peer_options *o, const peer_samples *s)
{
    trainer t;
    kad_node_t *hidden =
        o->net_a ? net_a() : kad_relu(kann_layer_dense(kann_layer_input(s->pixels), o->hidden));
    t.net = kann_new(kann_layer_cost(hidden, PEER_CLASSES, KANN_C_CEM), 0);
    t.x = malloc(sizeof *t.x * (size_t)o->batch_size * (size_t)s->pixels);
    t.y = malloc(sizeof *t.y * (size_t)o->batch_size * PEER_CLASSES);
    t.moment = calloc((size_t)kann_size_var(t.net), sizeof *t.moment);
    t.order = malloc(sizeof *t.order * (size_t)s->n);
    kann_mt(t.net, o->threads, o->batch_size);
    kann_feed_bind(t.net, KANN_F_IN, 0, &t.x);
    kann_feed_bind(t.net, KANN_F_TRUTH, 0, &t.y);
    return t;
}

/* Train on every image once, in a new random order, and return the mean loss. */
static double train_epoch(const trainer *t, const peer_options *o, const peer_samples *s)
{
    const size_t pixels = (size_t)s->pixels;
    double total = 0;
    kann_shuffle(s->n, t->order);
    for (int at = 0; at < s->n; at += o->batch_size) {
        const int n = s->n - at < o->batch_size ? s->n - at : o->batch_size;
        memset(t->y, 0, sizeof *t->y * (size_t)n * PEER_CLASSES);
        for (int i = 0; i < n; i++) {
            const int from = t->order[at + i];
            memcpy(t->x + (size_t)i * pixels, s->images + (size_t)from * pixels,
                   sizeof *t->x * pixels);
            t->y[i * PEER_CLASSES + s->labels[from]] = 1;
        }
        kann_set_batch_size(t->net, n);
        total += (double)kann_cost(t->net, 0, 1) * n;
        kann_RMSprop(kann_size_var(t->net), o->learning_rate, NULL, 0.9F, t->net->g, t->net->x,
                     t->moment);
    }
    return total / s->n;
}

static double accuracy(kann_t *net, const peer_samples *s)
{
    int right = 0;
    kann_mt(net, 0, 0);
    for (int i = 0; i < s->n; i++) {
        const float *p = kann_apply1(net, s->images + (size_t)i * (size_t)s->pixels);
        int best = 0;
        for (int c = 1; c < PEER_CLASSES; c++)
            best = p[c] > p[best] ? c : best;
        right += best == s->labels[i];
    }
    return (double)right / s->n;
}

int main(int argc, char **argv)
{
    const peer_options o = peer_parse(argc, argv);
    const peer_samples train = peer_read(o.data_dir, "train"), test = peer_read(o.data_dir, "t10k");
    peer_flush_subnormals();
    const trainer t = create(&o, &train);
    for (int epoch = 0; epoch <= o.epochs; epoch++) {
        const double start = peer_now();
        const double loss = train_epoch(&t, &o, &train);
        if (epoch > 0)
            printf("%d %.0f %.4f\n", o.batch_size, train.n / (peer_now() - start), loss);
    }
    fprintf(stderr, "accuracy %.4f\n", accuracy(t.net, &test));
    return 0;
}
