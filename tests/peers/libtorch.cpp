/* Measure how many images a second libtorch trains: the work of pytorch.py without Python.
 *
 * One thread, options and output as kann.c. */
#include <torch/torch.h>

#include "peer.h"

static double train_epoch(torch::nn::Sequential &net, torch::optim::Adam &optimizer,
                          const torch::Tensor &images, const torch::Tensor &labels, int batch_size)
{
    auto total = torch::zeros({});
    for (const auto &index : torch::randperm(images.size(0), torch::kLong).split(batch_size)) {
        for (auto &parameter : net->parameters())
            parameter.mutable_grad() = torch::Tensor();
        auto loss = torch::nn::functional::cross_entropy(
            net->forward(images.index_select(0, index)), labels.index_select(0, index));
        loss.backward();
        optimizer.step();
        total += loss.detach() * index.size(0);
    }
    return total.item<double>() / images.size(0);
}

int main(int argc, char **argv)
{
    const peer_options o = peer_parse(argc, argv);
    const peer_samples s = peer_read(o.data_dir, "train");
    at::set_num_threads(1);
    at::globalContext().setFlushDenormal(true);
    torch::manual_seed(0);
    const auto images = torch::from_blob(s.images, {s.n, s.pixels});
    const auto labels = torch::from_blob(s.labels, {s.n}, torch::kUInt8).to(torch::kLong);
    torch::nn::Sequential net(torch::nn::Linear(s.pixels, o.hidden), torch::nn::ReLU(),
                              torch::nn::Linear(o.hidden, int{PEER_CLASSES}));
    const auto settings = torch::optim::AdamOptions(o.learning_rate).eps(1e-7);
    torch::optim::Adam optimizer(net->parameters(), settings);
    for (int epoch = 0; epoch <= o.epochs; epoch++) {
        const double start = peer_now();
        const double loss = train_epoch(net, optimizer, images, labels, o.batch_size);
        if (epoch > 0)
            printf("%d %.0f %.4f\n", o.batch_size, s.n / (peer_now() - start), loss);
    }
    return 0;
}
