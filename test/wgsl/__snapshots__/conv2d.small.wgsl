struct Params { m: u32, n: u32, k: u32, channels: u32, height: u32, width: u32, outHeight: u32, outWidth: u32, window: u32, stride: u32, pad: u32, enlarge: u32, above: u32, rowsPerBatch: u32, gateOffset: u32, gateStride: u32, residualRows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(4, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let m0 = (workgroup.y * 1u + local.y) * 2u;
let n0 = workgroup.x * 8u + local.x;
let bottom = i32(p.height << p.enlarge);
let right = i32(p.width << p.enlarge);
var wx = 0; var wy = 0; var channel = 0u;
let pixel0 = min(m0 + 0u, p.m - 1u);
let left0 = i32((pixel0 % p.outWidth) * p.stride) - i32(p.pad);
let top0 = i32((pixel0 / p.outWidth) % p.outHeight * p.stride + p.above) - i32(p.pad);
let image0 = pixel0 / (p.outWidth * p.outHeight) * p.height;
let pixel1 = min(m0 + 1u, p.m - 1u);
let left1 = i32((pixel1 % p.outWidth) * p.stride) - i32(p.pad);
let top1 = i32((pixel1 / p.outWidth) % p.outHeight * p.stride + p.above) - i32(p.pad);
let image1 = pixel1 / (p.outWidth * p.outHeight) * p.height;
let column0 = min(n0 + 0u, p.n - 1u) * p.k;
let column1 = min(n0 + 4u, p.n - 1u) * p.k;
var c0_0 = 0.0;
var c0_1 = 0.0;
var c1_0 = 0.0;
var c1_1 = 0.0;
for (var k = 0u; k < p.k; k++) {
let a0y = top0 + wy; let a0x = left0 + wx;
let a0inside = (a0y >= 0) & (a0x >= 0) & (a0y < bottom) & (a0x < right);
let a0row = (image0 + (u32(a0y) >> p.enlarge)) * p.width;
let a0at = (a0row + (u32(a0x) >> p.enlarge)) * p.channels + channel;
let a0 = select(0.0, a[select(0u, a0at, a0inside)], a0inside);
let a1y = top1 + wy; let a1x = left1 + wx;
let a1inside = (a1y >= 0) & (a1x >= 0) & (a1y < bottom) & (a1x < right);
let a1row = (image1 + (u32(a1y) >> p.enlarge)) * p.width;
let a1at = (a1row + (u32(a1x) >> p.enlarge)) * p.channels + channel;
let a1 = select(0.0, a[select(0u, a1at, a1inside)], a1inside);
{ let b = b[column0 + k]; c0_0 += a0 * b;
c1_0 += a1 * b; }
{ let b = b[column1 + k]; c0_1 += a0 * b;
c1_1 += a1 * b; }
channel += 1u;
let nextPixel = channel == p.channels;
channel = select(channel, 0u, nextPixel);
wx += i32(nextPixel);
let nextRow = wx == i32(p.window);
wx = select(wx, 0, nextRow);
wy += i32(nextRow);
}
{
let m = m0 + 0u;
if (m < p.m) {
{ let n = n0 + 0u * 4u; if (n < p.n) { y[m * p.n + n] = (c0_0 + bias[n]); } }
{ let n = n0 + 1u * 4u; if (n < p.n) { y[m * p.n + n] = (c0_1 + bias[n]); } }
}
}
{
let m = m0 + 1u;
if (m < p.m) {
{ let n = n0 + 0u * 4u; if (n < p.n) { y[m * p.n + n] = (c1_0 + bias[n]); } }
{ let n = n0 + 1u * 4u; if (n < p.n) { y[m * p.n + n] = (c1_1 + bias[n]); } }
}
}
}
