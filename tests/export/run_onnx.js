// Runs a graph of ONNX by onnxruntime-node: run_onnx.js MODEL PIXELS PROBABILITIES [BATCH]
//
// PIXELS are bytes, image after image; PROBABILITIES become float32, row after row. Prints the
// number of images. The type of the input is the graph's.
const fs = require('fs');
const ort = require('onnxruntime-node');

async function main(model, pixels, probabilities, batch) {
    const session = await ort.InferenceSession.create(model);
    const bytes = new Uint8Array(fs.readFileSync(pixels));
    const name = session.inputNames[0], out = session.outputNames[0];
    const metadata = (session.inputMetadata || [])[0];
    const shape = metadata.shape.slice(1).map(Number), size = shape.reduce((a, b) => a * b, 1);
    const file = fs.openSync(probabilities, 'w');
    for (let first = 0; first < bytes.length / size; first += batch) {
        const n = Math.min(batch, bytes.length / size - first);
        const part = bytes.slice(first * size, (first + n) * size);
        const values = metadata.type === 'uint8' ? part : Float32Array.from(part);
        const tensor = new ort.Tensor(metadata.type, values, [n, ...shape]);
        const result = (await session.run({[name]: tensor}))[out];
        if (result.dims[0] !== n)
            throw new Error(`${result.dims[0]} rows for ${n} images`);
        fs.writeSync(file, Buffer.from(result.data.buffer, result.data.byteOffset, result.data.byteLength));
    }
    console.log(bytes.length / size);
}

main(process.argv[2], process.argv[3], process.argv[4], Number(process.argv[5] || 100)).catch((e) => {
    console.error(e.message);
    process.exit(1);
});
