fn scaleWord(i: u32) -> u32 { return b[p.scales + (i >> 3u)][(i >> 1u) & 3u]; }
fn scaleIn(word: u32, i: u32) -> vec2<f16> {
let two = bitcast<vec2<f16>>(word);
let scale = select(two.x, two.y, (i & 1u) == 1u);
return vec2<f16>(scale, -128.0h * scale);
}
fn pair(word: u32, scale: vec2<f16>) -> vec2<f16> {
let numbers = bitcast<vec2<f16>>((word & 0x00ff00ffu) | 0x64006400u) - vec2<f16>(1024.0h);
return fma(numbers, scale.xx, scale.yy);
}
fn halves0(word: u32, scale: vec2<f16>) -> vec4<f16> { return vec4<f16>(pair(word >> 0u, scale), pair(word >> 8u, scale)); }
let bRow0 = min(n0 + (local + 0u) / 2u, p.n - 1u); let bColumn0 = (local + 0u) % 2u * 16u;
let bFrom0 = bRow0 * (p.k / 2u) + bColumn0 / 16u; let bGroup0 = bRow0 * (p.k * 8u / 32u);
let bTo0 = (local + 0u) / 2u * 10u + bColumn0 / 4u; var b0: vec4u; var bScale0: u32;
b0 = b[bFrom0 + next / 2u]; bScale0 = scaleWord(bGroup0 + (next * 8u + bColumn0) / 32u);
{  let scale = scaleIn(bScale0, bGroup0 + (k * 8u + bColumn0) / 32u); tile_b[bTo0 + 0u] = halves0(b0.x, scale);
tile_b[bTo0 + 1u] = halves0(b0.y, scale);
tile_b[bTo0 + 2u] = halves0(b0.z, scale);
tile_b[bTo0 + 3u] = halves0(b0.w, scale); }
