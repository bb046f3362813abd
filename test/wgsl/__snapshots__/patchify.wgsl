struct Params { count: u32, pictures: u32, channels: u32, height: u32, width: u32, side: u32, tokens: u32, firstToken: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(16, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 16u + local.x;
if (i >= p.count) { return; }
let depth = p.channels * p.side * p.side;
let inner = i % depth;
let token = p.firstToken + (i / depth) % p.tokens;
let picture = (i / (depth * p.tokens)) % p.pictures;
let across = p.width / p.side;
let row = (token / across) * p.side + (inner / p.side) % p.side;
let column = (token % across) * p.side + inner % p.side;
let channel = inner / (p.side * p.side);
y[i] = x[((picture * p.channels + channel) * p.height + row) * p.width + column];
}
