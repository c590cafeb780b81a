import type { Benchmark } from './benchmark.ts'
export const memory: Benchmark = { name: 'memory', about: '', run: async () => ({ runs: [], ratios: [] }) }
