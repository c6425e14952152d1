using Veredus.Configuration;

namespace Veredus.Logging;

/// <summary>What happens to a message, as a <c>custom_logger</c> tells it apart.</summary>
public enum LogStage
{
    Reception,
    Delivery,
    TransientFailure,
    PermanentFailure,
    Rejection,
    /// <summary>Another node of the cluster took the message over; that one logs a reception with protocol <c>xfer</c>.</summary>
    Xfer,
}

/// <summary>One stage of a <c>custom_logger</c>.</summary>
/// <param name="Destination">As in <see cref="LogDestination"/>; the lines are as the format says whatever it ends in.</param>
/// <param name="Mode">Permissions of a file that is created.</param>
public sealed record StageLog(LogStage Stage, LogFormat Format, string Destination, UnixFileMode Mode = LogDestination.DefaultMode)
{
    /// <summary>Escapes <c>@</c> in values.</summary>
    public bool IsSanitized { get; init; } = true;

    internal LogDestination Target => new(LogKind.Custom, Destination, Mode);
}
