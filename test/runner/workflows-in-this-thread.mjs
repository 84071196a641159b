/**
 * Runs the workflows of the tests' own Workers in the tests' thread, and keeps no stack of each of their promises.
 *
 * A Worker of the SDK has a thread, which loads the SDK anew: 0.4 CPU seconds each, and tests make some hundred. The stacks are
 * for the query `__stack_trace`, which no test asks, and cost a third of what a workflow task computes. The programs that tests start as
 * processes run as they are shipped.
 */
import v8 from 'node:v8';

process.env['TEMPORAL_DEBUG'] = 'true';
v8.promiseHooks.createHook = () => () => {};
