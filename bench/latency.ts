import type { Benchmark } from './benchmark.ts'
export const latency: Benchmark = { name: 'latency', about: '', run: async () => ({ runs: [], ratios: [] }) }
