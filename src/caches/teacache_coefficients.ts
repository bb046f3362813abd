/**
 * FLUX.1's polynomial, fitted by TeaCache's authors on FLUX.1-dev: TeaCache4FLUX/teacache_flux.py of
 * github.com/ali-vilab/TeaCache at 7c10efc. It has a least value of 0.18, so that lower thresholds spare nothing. None are
 * published for SD3, HunyuanDiT and PixArt.
 */
export const FLUX_TEACACHE: readonly number[] = [498.651651, -283.781631, 55.8554382, -3.82021401, 0.264230861]
