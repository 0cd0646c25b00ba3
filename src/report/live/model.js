/* The layers of the program, for inference, in plain JavaScript. fmdModel(spec, weights) returns a
 * function from the pixels of an image, bytes, to probabilities. `spec` is the object that live.c
 * writes; `weights` are all values of the model, in its order. Images are (height, width, channels).
 * Sums are made in another order than in the program, so probabilities differ by about 1e-6. */
"use strict";
function fmdModel(spec, weights) {
  const count = shape => shape.reduce((n, d) => n * d, 1);
  const last = shape => shape[shape.length - 1];
  const numbers = text => text.split("x").map(Number);
  const pair = text => { const n = numbers(text); return n.length > 1 ? n : [n[0], n[0]]; };

  /* Abramowitz and Stegun, 7.1.26: to 1.5e-7. */
  function erf(x) {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t +
               0.254829592) * t;
    return Math.sign(x) * (1 - p * Math.exp(-x * x));
  }

  function softmax(y, columns) {
    for (let i = 0; i < y.length; i += columns) {
      let most = -Infinity, sum = 0;
      for (let j = 0; j < columns; j++) most = Math.max(most, y[i + j]);
      for (let j = 0; j < columns; j++) sum += y[i + j] = Math.exp(y[i + j] - most);
      for (let j = 0; j < columns; j++) y[i + j] /= sum;
    }
  }

  const functions = {
    linear: x => x,
    relu: x => x < 0 ? 0 : x,
    leaky_relu: x => x > 0 ? x : 0.2 * x,
    elu: x => x > 0 ? x : Math.expm1(x),
    gelu: x => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
    sigmoid: x => 1 / (1 + Math.exp(-x)),
    tanh: Math.tanh,
  };

  function activate(name, y, columns) {
    if (name === "softmax") softmax(y, columns);
    else if (name === "relu") for (let i = 0; i < y.length; i++) y[i] = y[i] < 0 ? 0 : y[i];
    else if (name !== "linear") for (let i = 0; i < y.length; i++) y[i] = functions[name](y[i]);
    return y;
  }

  /* Rows or columns in front of the first pixel, with Keras' padding. */
  function before(n, out, kernel, stride, dilation, padding) {
    const outside = (out - 1) * stride + (kernel - 1) * dilation + 1 - n;
    return padding === "same" && outside > 0 ? outside >> 1 : 0;
  }

  /* kernel: (rows, columns, input channels of a group, output channels). */
  function convolve(c, x, kernel, bias) {
    const [H, W, C] = c.in, [OH, OW, K] = c.out, [kh, kw] = c.kernel;
    const IG = C / c.groups, KG = K / c.groups, y = new Float32Array(OH * OW * K);
    for (let oy = 0, o = 0; oy < OH; oy++)
      for (let ox = 0; ox < OW; ox++, o += K) {
        if (bias) y.set(bias, o);
        for (let ky = 0; ky < kh; ky++) {
          const iy = oy * c.strides[0] + ky * c.dilation[0] - c.top;
          if (iy < 0 || iy >= H) continue;
          for (let kx = 0; kx < kw; kx++) {
            const ix = ox * c.strides[1] + kx * c.dilation[1] - c.left;
            if (ix < 0 || ix >= W) continue;
            const from = (iy * W + ix) * C, w0 = (ky * kw + kx) * IG * K;
            if (IG === 1 && KG === 1) { /* depthwise */
              for (let k = 0; k < K; k++) y[o + k] += x[from + k] * kernel[w0 + k];
              continue;
            }
            for (let g = 0; g < c.groups; g++) {
              const f = from + g * IG, to = o + g * KG;
              let i = 0, w = w0 + g * KG;
              for (; i + 4 <= IG; i += 4, w += 4 * K) {
                const a = x[f + i], b = x[f + i + 1], d = x[f + i + 2], e = x[f + i + 3];
                if (a === 0 && b === 0 && d === 0 && e === 0) continue;
                for (let k = 0; k < KG; k++)
                  y[to + k] += a * kernel[w + k] + b * kernel[w + K + k] +
                               d * kernel[w + 2 * K + k] + e * kernel[w + 3 * K + k];
              }
              for (; i < IG; i++, w += K) {
                const a = x[f + i];
                if (a === 0) continue;
                for (let k = 0; k < KG; k++) y[to + k] += a * kernel[w + k];
              }
            }
          }
        }
      }
    return y;
  }

  function pool(l, x, start, step, end) {
    const [H, W, C] = l.in[0], [OH, OW] = l.shape, [kh, kw] = pair(l.args.pool_size);
    const given = pair(l.args.strides), [sh, sw] = given[0] > 0 ? given : [kh, kw];
    const top = before(H, OH, kh, sh, 1, l.args.padding);
    const left = before(W, OW, kw, sw, 1, l.args.padding);
    const y = new Float32Array(OH * OW * C).fill(start);
    for (let oy = 0, o = 0; oy < OH; oy++)
      for (let ox = 0; ox < OW; ox++, o += C) {
        const y0 = Math.max(oy * sh - top, 0), y1 = Math.min(oy * sh - top + kh, H);
        const x0 = Math.max(ox * sw - left, 0), x1 = Math.min(ox * sw - left + kw, W);
        for (let i = y0; i < y1; i++)
          for (let j = x0; j < x1; j++)
            for (let c = 0; c < C; c++) y[o + c] = step(y[o + c], x[(i * W + j) * C + c]);
        for (let c = 0; c < C; c++) y[o + c] = end(y[o + c], (y1 - y0) * (x1 - x0));
      }
    return y;
  }

  function poolAll(l, x, start, step, end) {
    const C = l.in[0][2], y = new Float32Array(C).fill(start);
    for (let i = 0; i < x.length; i++) y[i % C] = step(y[i % C], x[i]);
    return y.map(v => end(v, x.length / C));
  }

  const larger = (a, b) => a > b ? a : b, sum = (a, b) => a + b;
  const same = a => a, mean = (a, n) => a / n;
  const unchanged = (l, x) => x;

  function convolution(l, out, groups) {
    const k = pair(l.args.kernel_size), s = pair(l.args.strides), d = pair(l.args.dilation_rate);
    const at = i => before(l.in[0][i], out[i], k[i], s[i], d[i], l.args.padding);
    return {kernel: k, strides: s, dilation: d, in: l.in[0], out, groups, top: at(0), left: at(1)};
  }

  const layers = {
    dense(l, x) {
      const n = last(l.in[0]), rows = x.length / n, units = last(l.shape);
      return convolve({in: [rows, 1, n], out: [rows, 1, units], kernel: [1, 1], strides: [1, 1],
                       dilation: [1, 1], groups: 1, top: 0, left: 0}, x, l.tensors.kernel,
                      l.tensors.bias);
    },
    conv2d: (l, x) => convolve(convolution(l, l.shape, Number(l.args.groups)), x,
                               l.tensors.kernel, l.tensors.bias),
    depthwise_conv2d: (l, x) => convolve(convolution(l, l.shape, l.in[0][2]), x,
                                         l.tensors.kernel, l.tensors.bias),
    separable_conv2d(l, x) {
      const C = l.in[0][2], between = [l.shape[0], l.shape[1], C * Number(l.args.depth_multiplier)];
      const y = convolve(convolution(l, between, C), x, l.tensors.depthwise_kernel, null);
      return convolve({in: between, out: l.shape, kernel: [1, 1], strides: [1, 1], dilation: [1, 1],
                       groups: 1, top: 0, left: 0}, y, l.tensors.pointwise_kernel, l.tensors.bias);
    },
    max_pooling2d: (l, x) => pool(l, x, -Infinity, larger, same),
    average_pooling2d: (l, x) => pool(l, x, 0, sum, mean),
    global_max_pooling2d: (l, x) => poolAll(l, x, -Infinity, larger, same),
    global_average_pooling2d: (l, x) => poolAll(l, x, 0, sum, mean),
    batch_normalization(l, x) {
      const t = l.tensors, C = last(l.shape), e = Number(l.args.epsilon);
      const factor = t.moving_variance.map((v, i) => (t.gamma ? t.gamma[i] : 1) / Math.sqrt(v + e));
      return x.map((v, i) => (v - t.moving_mean[i % C]) * factor[i % C] +
                             (t.beta ? t.beta[i % C] : 0));
    },
    layer_normalization(l, x) {
      const t = l.tensors, n = count(l.shape.slice(-numbers(l.args.axis).length));
      const y = new Float32Array(x.length);
      for (let i = 0; i < x.length; i += n) {
        let total = 0, squares = 0;
        for (let j = 0; j < n; j++) total += x[i + j];
        for (let j = 0; j < n; j++) squares += (x[i + j] - total / n) ** 2;
        const inverse = 1 / Math.sqrt(squares / n + Number(l.args.epsilon));
        for (let j = 0; j < n; j++)
          y[i + j] = (x[i + j] - total / n) * inverse * (t.gamma ? t.gamma[j] : 1) +
                     (t.beta ? t.beta[j] : 0);
      }
      return y;
    },
    normalization(l, x) {
      const at = (list, c) => list[list.length > 1 ? c : 0], C = last(l.shape);
      const m = numbers(l.args.mean);
      const d = numbers(l.args.variance).map(v => Math.max(Math.sqrt(v), 1e-7));
      return x.map((v, i) => (v - at(m, i % C)) / at(d, i % C));
    },
    rescaling: (l, x) => x.map(v => v * Number(l.args.scale) + Number(l.args.offset)),
    leaky_re_lu: (l, x) => x.map(v => v > 0 ? v : Number(l.args.negative_slope) * v),
    zero_padding2d(l, x) {
      const p = numbers(l.args.padding), [H, W, C] = l.in[0], OW = l.shape[1];
      const top = p[0], left = p.length === 4 ? p[2] : p[p.length - 1];
      const y = new Float32Array(count(l.shape));
      for (let i = 0; i < H; i++)
        y.set(x.subarray(i * W * C, (i + 1) * W * C), ((top + i) * OW + left) * C);
      return y;
    },
    random_crop(l, x) { /* the middle */
      const [H, W, C] = l.in[0], [OH, OW] = l.shape, top = (H - OH) >> 1, left = (W - OW) >> 1;
      const y = new Float32Array(count(l.shape));
      for (let i = 0; i < OH; i++) {
        const from = ((top + i) * W + left) * C;
        y.set(x.subarray(from, from + OW * C), i * OW * C);
      }
      return y;
    },
    add: (l, ...x) => x.reduce((a, b) => a.map((v, i) => v + b[i])),
    concatenate(l, ...x) {
      const given = Number(l.args.axis), axis = given < 0 ? l.shape.length + given : given - 1;
      const y = new Float32Array(count(l.shape)), runs = l.in.map(s => count(s.slice(axis)));
      for (let to = 0, i = 0; to < y.length; i++)
        for (let k = 0; k < x.length; to += runs[k++])
          y.set(x[k].subarray(i * runs[k], (i + 1) * runs[k]), to);
      return y;
    },
    relu: (l, x) => activate("relu", x.slice(), 1),
    softmax: unchanged, activation: unchanged, flatten: unchanged, reshape: unchanged,
    dropout: unchanged, spatial_dropout2d: unchanged, random_flip: unchanged,
    random_translation: unchanged, random_erasing: unchanged,
  };

  const outputs = [];
  const model = spec.layers.map(l => {
    if (!layers[l.type]) throw new Error("this page does not know the layer " + l.type);
    const own = {...l, in: l.inputs.map(i => i < 0 ? spec.input : spec.layers[i].shape), tensors: {}};
    for (const [name, [offset, n]] of Object.entries(l.tensors || {}))
      own.tensors[name] = weights.subarray(offset, offset + n);
    return own;
  });

  return pixels => {
    const input = Float32Array.from(pixels, p => p / spec.divisor);
    model.forEach((l, i) => {
      const y = layers[l.type](l, ...l.inputs.map(k => k < 0 ? input : outputs[k]));
      const changes = l.activation && l.activation !== "linear" && l.type !== "relu";
      outputs[i] = changes ? activate(l.activation, y === input || l.inputs.some(
        k => outputs[k] === y) ? y.slice() : y, last(l.shape)) : y;
    });
    const scores = Float32Array.from(outputs[outputs.length - 1]);
    outputs.length = 0;
    softmax(scores, scores.length);
    return scores;
  };
}
