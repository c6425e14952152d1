namespace Veredus.Delivery;

/// <summary>One instant on both clocks.</summary>
/// <param name="Ms">Milliseconds of the scheduler's own clock, which never jumps.</param>
/// <param name="UnixMs">Wall clock, for expiry and logs.</param>
internal readonly record struct Moment(long Ms, long UnixMs)
{
    /// <summary>Where a wall-clock time lies on the scheduler's clock.</summary>
    public long MsOf(long unixMs) => Ms + (unixMs - UnixMs);
}
