#include "data/known_datasets.h"

#include <string.h>

static const fmd_known_dataset known[] = {
    {
        .name = "fashion-mnist",
        .content = "the clothes of Fashion-MNIST",
        .torchvision = "FashionMNIST",
        .hashed = true,
        .hash = {{0xe5a664e2905b9295, 0xca72265d7c26283b},
                 {0x48a2c630b815ef5a, 0x775518db990ebf87},
                 {0x00620a3fbea59460, 0xa60baf710224b311},
                 {0xca8383985fa2cbc6, 0x20515cb4512a5b03}},
        .classes = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                    "Sneaker", "Bag", "Ankle boot"},
    },
    {
        .name = "mnist",
        .content = "the digits of MNIST",
        .torchvision = "MNIST",
        .hashed = true,
        .hash = {{0xe12946a8ab9bd743, 0x59bf22c057c52478},
                 {0x81c6f5433a9d3462, 0x8839fd1c4bb36825},
                 {0xa912d49f199ea2d3, 0x6aa8aa9c0102c17c},
                 {0x507d8d921945ef36, 0x63c4bd8be7e7204f}},
        .classes = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"},
    },
    {
        .name = "cifar-10",
        .content = "the pictures of CIFAR-10",
        .torchvision = "CIFAR10",
        .archive = "cifar-10-batches-bin",
        .classes = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                    "truck"},
    },
};

enum { KNOWN = sizeof known / sizeof known[0] };

/* "fashion_mnist" is "fashion-mnist", and "cifar10" is "cifar-10". */
static bool same_name(const char *own, const char *name)
{
    for (; *own != '\0'; own++) {
        if (*own == *name || (*own == '-' && *name == '_'))
            name++;
        else if (*own != '-')
            return false;
    }
    return *name == '\0';
}

const fmd_known_dataset *fmd_known_dataset_find(const char *name)
{
    for (int i = 0; i < KNOWN; i++)
        if (same_name(known[i].name, name) || strcmp(known[i].torchvision, name) == 0)
            return &known[i];
    return NULL;
}

const fmd_known_dataset *fmd_known_dataset_owner(fmd_hash h, int file)
{
    for (int i = 0; i < KNOWN; i++)
        if (known[i].hashed && known[i].hash[file].high == h.high &&
            known[i].hash[file].low == h.low)
            return &known[i];
    return NULL;
}
