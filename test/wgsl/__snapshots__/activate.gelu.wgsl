struct Params { count: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
fn act(x: f32) -> f32 {
let z = abs(x) * 0.7071067811865476;
let t = 1.0 / (1.0 + 0.5 * z);
let fit = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * (0.17087277)))))))));
let outside = 0.5 * t * exp(fit - z * z);
return x * select(outside, 1.0 - outside, x >= 0.0);
}
@compute @workgroup_size(16, 1) fn main(@builtin(local_invocation_id) local: vec3u, @builtin(workgroup_id) workgroup: vec3u) {
let i = (workgroup.y * 65535u + workgroup.x) * 16u + local.x;
if (i >= p.count) { return; }
y[i] = act(x[i]);
}
