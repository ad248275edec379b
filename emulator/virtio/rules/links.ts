// Addresses of sections in the published virtio 1.4 text.

export const publishedSpecification = 'https://docs.oasis-open.org/virtio/virtio/v1.4/cs01/virtio-v1.4-cs01.html';

/** The address of a section, e.g. `3.1.1`. */
export function sectionLink(section: string): string {
  const anchor = anchors[section];
  return anchor === undefined ? publishedSpecification : `${publishedSpecification}#${anchor}`;
}

const anchors: Readonly<Record<string, string>> = {};
