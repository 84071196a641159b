import { describe, expect, test } from '@jest/globals';
import { sectionOf } from '../../deploy/release/changelog.ts';

const changelog = `# Changelog

## Unreleased

- Not yet.

## [1.1.0] - 2026-12-01

### Added

- More.

## 1.0.0

- First.

## 0.9.0

`;

describe('the notes of a release', () => {
  test('are the version’s section, without its heading', () => {
    expect(sectionOf(changelog, '1.1.0')).toBe('### Added\n\n- More.');
    expect(sectionOf(changelog, '1.0.0')).toBe('- First.');
  });

  test('are missing where the version has no section, and the error names those that there are', () => {
    expect(() => sectionOf(changelog, '1.1')).toThrow(
      'has no section "## 1.1"; it has Unreleased, 1.1.0, 1.0.0',
    );
  });

  test('are not empty', () => {
    expect(() => sectionOf(changelog, '0.9.0')).toThrow('says nothing under "## 0.9.0"');
  });
});
