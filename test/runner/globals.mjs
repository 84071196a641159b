/** What `@jest/globals` is in native-worker.mjs. Helpers of many files are loaded once: what they have is always that of the present file. */

let present = {};

export function setGlobals(globals) {
  present = globals;
}

/** `test.each`, `expect.objectContaining` and the like included. */
function ofPresentFile(name) {
  return new Proxy(function () {}, {
    apply: (_, self, args) => Reflect.apply(present[name], self, args),
    get: (_, key) => present[name][key],
  });
}

export const afterAll = ofPresentFile('afterAll');
export const afterEach = ofPresentFile('afterEach');
export const beforeAll = ofPresentFile('beforeAll');
export const beforeEach = ofPresentFile('beforeEach');
export const describe = ofPresentFile('describe');
export const expect = ofPresentFile('expect');
export const it = ofPresentFile('it');
export const jest = ofPresentFile('jest');
export const test = ofPresentFile('test');
