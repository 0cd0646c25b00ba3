/* Measure how many images a second dlib trains, as a peer for fmnist-dist.
 *
 * The work is that of pytorch.py, with dlib's own Adam, by the functions below dnn_trainer, which
 * would spend time on a thread and on learning rates. One thread, options and output as kann.c. */
#include <dlib/dnn.h>

#include "peer.h"

/* The number of hidden units is set later. */
using perceptron = dlib::loss_multiclass_log<
    dlib::fc<PEER_CLASSES, dlib::relu<dlib::fc<1, dlib::input<dlib::matrix<float>>>>>>;

template <long filters, typename below>
using conv_relu_pool =
    dlib::max_pool<2, 2, 2, 2, dlib::relu<dlib::con<filters, 3, 3, 1, 1, below>>>;

using net_a = dlib::loss_multiclass_log<
    dlib::fc<PEER_CLASSES,
             dlib::relu<dlib::fc<
                 128, conv_relu_pool<64, conv_relu_pool<32, dlib::input<dlib::matrix<float>>>>>>>>;

static void shuffle(std::vector<int> &order, dlib::rand &random)
{
    for (size_t i = order.size(); i > 1; i--)
        std::swap(order[i - 1], order[random.get_random_32bit_number() % i]);
}

/* Fill the batch with the n images and labels that order begins with. */
static void gather(const peer_samples &s, const int *order, int n, int rows,
                   dlib::resizable_tensor &x, std::vector<unsigned long> &y)
{
    x.set_size(n, 1, rows, s.pixels / rows);
    float *to = x.host_write_only();
    for (int i = 0; i < n; i++, to += s.pixels) {
        memcpy(to, s.images + (size_t)order[i] * s.pixels, sizeof(float) * s.pixels);
        y[i] = s.labels[order[i]];
    }
}

/* `rows`: of an image. */
template <typename network>
static void train(network &net, int rows, const peer_options &o, const peer_samples &s)
{
    dlib::resizable_tensor x;
    const dlib::matrix<float> one = dlib::zeros_matrix<float>(rows, s.pixels / rows);
    net.to_tensor(&one, &one + 1, x); /* says what an image is */
    std::vector<dlib::adam> solvers(network::num_computational_layers, dlib::adam(0, 0.9F, 0.999F));
    std::vector<unsigned long> y(o.batch_size);
    std::vector<int> order(s.n);
    std::iota(order.begin(), order.end(), 0);
    dlib::rand random;
    for (int epoch = 0; epoch <= o.epochs; epoch++) {
        const double start = peer_now();
        double total = 0;
        shuffle(order, random);
        for (int at = 0; at < s.n; at += o.batch_size) {
            const int n = std::min(o.batch_size, s.n - at);
            gather(s, &order[at], n, rows, x, y);
            total += net.compute_parameter_gradients(x, y.begin()) * n;
            net.update_parameters(solvers, o.learning_rate);
        }
        if (epoch > 0)
            printf("%d %.0f %.4f\n", o.batch_size, s.n / (peer_now() - start), total / s.n);
    }
}

int main(int argc, char **argv)
{
    const peer_options o = peer_parse(argc, argv);
    const peer_samples s = peer_read(o.data_dir, "train");
    peer_flush_subnormals();
    if (o.net_a) {
        net_a net;
        train(net, 28, o, s);
        return 0;
    }
    perceptron net;
    dlib::layer<3>(net).layer_details().set_num_outputs(o.hidden);
    train(net, 1, o, s);
    return 0;
}
