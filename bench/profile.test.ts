import assert from 'node:assert/strict'
import { test } from 'node:test'
import { topFunctions } from './profile.ts'

test('a profile tells own time by function, whoever called it, and leaves idleness and the start out', () => {
  const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 4 })
  const nodes = [
    { id: 1, callFrame: frame('(idle)') },
    { id: 2, callFrame: frame('parse', 'file:///a/node_modules/pkg/x.js') },
    { id: 3, callFrame: frame('parse', 'file:///a/node_modules/pkg/x.js') },
    { id: 4, callFrame: frame('(garbage collector)') },
  ]
  const profile = { nodes, samples: [1, 2, 3, 4], timeDeltas: [9_000, 1_000, 2_000, 1_000] }
  assert.deepEqual(topFunctions(profile, 0), [
    ['parse pkg/x.js:5', '3 ms', '75.0 %'],
    ['(garbage collector)', '1 ms', '25.0 %'],
  ])
  assert.deepEqual(topFunctions(profile, 12_000), [['(garbage collector)', '1 ms', '100.0 %']])
})
