// Runs graphs of ONNX by onnxruntime-node: run_onnx.js BATCH MODEL FILE [MODEL FILE]...
//
// FILE has the pixels, bytes, image after image; probabilities take their place, float32, row after
// row. Prints the number of images. The type of the input is the graph's.
const fs = require('fs');
const ort = require('onnxruntime-node');

async function run(model, path, batch) {
    const session = await ort.InferenceSession.create(model);
    const bytes = new Uint8Array(fs.readFileSync(path));
    const name = session.inputNames[0], out = session.outputNames[0];
    const input = session.inputMetadata[0];
    const shape = input.shape.slice(1).map(Number), size = shape.reduce((a, b) => a * b, 1);
    const file = fs.openSync(path, 'w');
    for (let first = 0; first < bytes.length / size; first += batch) {
        const n = Math.min(batch, bytes.length / size - first);
        const part = bytes.slice(first * size, (first + n) * size);
        const values = input.type === 'uint8' ? part : Float32Array.from(part);
        const tensor = new ort.Tensor(input.type, values, [n, ...shape]);
        const result = (await session.run({[name]: tensor}))[out];
        if (result.dims[0] !== n)
            throw new Error(`${result.dims[0]} rows for ${n} images`);
        const {buffer, byteOffset, byteLength} = result.data;
        fs.writeSync(file, Buffer.from(buffer, byteOffset, byteLength));
    }
    fs.closeSync(file);
    console.log(bytes.length / size);
}

async function main(batch, ...files) {
    for (let i = 0; i < files.length; i += 2)
        await run(files[i], files[i + 1], Number(batch));
}

main(...process.argv.slice(2)).catch((e) => {
    console.error(e.message);
    process.exit(1);
});
