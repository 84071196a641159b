import { describe, expect, test } from '@jest/globals';
import { copiedTags } from '../../activities/copy-tags.ts';

const copy = { labels: ['team', 'owner'], annotations: ['contract', 'team'], prefix: 'tag.example.com/' };

describe('the tags of a node’s address', () => {
  test('become labels and annotations by their list, and no others', () => {
    const tags = { team: 'games', contract: 'no. 7, until May', secret: 'x' };
    expect(copiedTags(copy, [tags])).toEqual({
      marks: {
        labels: { 'tag.example.com/team': 'games', 'tag.example.com/owner': null },
        annotations: { 'tag.example.com/contract': 'no. 7, until May', 'tag.example.com/team': 'games' },
      },
      refused: [],
    });
  });

  test('that can be no label are refused, and a label that was there goes', () => {
    const { marks, refused } = copiedTags(copy, [{ team: 'two words', owner: '' }]);
    expect(marks.labels).toEqual({ 'tag.example.com/team': null, 'tag.example.com/owner': '' });
    expect(refused).toEqual([{ key: 'team', value: 'two words' }]);
  });

  test('of two addresses are those of the first that has them; without an address they go', () => {
    expect(copiedTags(copy, [{ team: 'a' }, { team: 'b', owner: 'c' }]).marks.labels).toEqual({
      'tag.example.com/team': 'a',
      'tag.example.com/owner': 'c',
    });
    const { marks } = copiedTags(copy, []);
    expect([...Object.values(marks.labels), ...Object.values(marks.annotations)]).toEqual([
      null,
      null,
      null,
      null,
    ]);
  });
});
