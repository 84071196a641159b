/** Writes the XML of the Query protocol. */
import { XMLBuilder } from 'fast-xml-parser';

/** Element content by name. An array under `item` repeats the element; `''` is an empty element. */
export interface XmlNode {
  readonly [element: string]: XmlValue;
}

/** undefined leaves the element out. */
export type XmlValue = string | number | boolean | undefined | XmlNode | readonly (XmlNode | string)[];

const EC2_NAMESPACE = 'http://ec2.amazonaws.com/doc/2016-11-15/';
const STS_NAMESPACE = 'https://sts.amazonaws.com/doc/2011-06-15/';
const PROLOGUE = '<?xml version="1.0" encoding="UTF-8"?>\n';

const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  suppressEmptyNode: true,
});

/** A list as EC2 writes it: `<item>`s, or an empty element. */
export function items(nodes: readonly XmlNode[]): XmlNode | '' {
  return nodes.length === 0 ? '' : { item: nodes };
}

export function ec2Answer(action: string, requestId: string, content: XmlNode): string {
  return document({ [`${action}Response`]: { '@xmlns': EC2_NAMESPACE, requestId, ...content } });
}

export function ec2ErrorAnswer(code: string, message: string, requestId: string): string {
  return document({
    Response: { Errors: { Error: { Code: code, Message: message } }, RequestID: requestId },
  });
}

export function stsAnswer(action: string, requestId: string, result: XmlNode): string {
  return document({
    [`${action}Response`]: {
      '@xmlns': STS_NAMESPACE,
      [`${action}Result`]: result,
      ResponseMetadata: { RequestId: requestId },
    },
  });
}

export function stsErrorAnswer(code: string, message: string, requestId: string): string {
  return document({
    ErrorResponse: {
      '@xmlns': STS_NAMESPACE,
      Error: { Type: 'Sender', Code: code, Message: message },
      RequestId: requestId,
    },
  });
}

function document(root: XmlNode): string {
  return PROLOGUE + builder.build(root);
}
