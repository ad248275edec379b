// Whether a driver's set of accepted features can be worked with, and if not, every reason. [virtio 1.4, 2.2]
// The same check serves the device (may FEATURES_OK be set?), the rules and the launch configuration.
import { bitsOf, feature, featureName, featuresOf, hasFeature } from './feature';

export type FeatureDefect =
  /** Accepted but never offered. [2.2.1] */
  | { readonly kind: 'not-offered'; readonly bit: number }
  /** Accepted without one of the features it builds on. [2.2.1] */
  | { readonly kind: 'requires'; readonly bit: number; readonly oneOf: readonly number[] }
  /** VERSION_1 was offered and left out, so the driver is a legacy driver. [6.1, 6.2] */
  | { readonly kind: 'version-1-missing' };

/** Features in the set that lack what they require. */
export function missingRequirements(device: number, features: bigint): FeatureDefect[] {
  return featuresOf(device)
    .filter((f) => hasFeature(features, f.bit))
    .flatMap((f) =>
      (f.requires ?? [])
        .filter((oneOf) => !oneOf.some((bit) => hasFeature(features, bit)))
        .map((oneOf) => ({ kind: 'requires' as const, bit: f.bit, oneOf })),
    );
}

/** All defects of an accepted set; empty when the device can take it. */
export function checkAcceptedFeatures(device: number, offered: bigint, accepted: bigint): FeatureDefect[] {
  const defects: FeatureDefect[] = bitsOf(accepted & ~offered).map((bit) => ({ kind: 'not-offered', bit }));
  defects.push(...missingRequirements(device, accepted));
  if (hasFeature(offered, feature.VERSION_1) && !hasFeature(accepted, feature.VERSION_1)) {
    defects.push({ kind: 'version-1-missing' });
  }
  return defects;
}

/** One sentence for people. */
export function featureDefectText(device: number, defect: FeatureDefect): string {
  switch (defect.kind) {
    case 'not-offered':
      return `${featureName(device, defect.bit)} was accepted but not offered`;
    case 'requires':
      return `${featureName(device, defect.bit)} was accepted without ${defect.oneOf
        .map((bit) => featureName(device, bit))
        .join(' or ')}`;
    case 'version-1-missing':
      return 'VIRTIO_F_VERSION_1 was not accepted';
  }
}
