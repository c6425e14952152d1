using System.Buffers;
using System.Globalization;

namespace Veredus.Duravip;

/// <summary>A member of the bus group as the bus names it. Members are ordered by it; the first non-excluded one leads.</summary>
/// <param name="NodeId">The bus node, stable for a host.</param>
/// <param name="Pid">The process; can repeat after a restart, hence the incarnation in every message.</param>
public readonly record struct MemberId(uint NodeId, uint Pid) : IComparable<MemberId>
{
    public int CompareTo(MemberId other) => NodeId != other.NodeId ? NodeId.CompareTo(other.NodeId) : Pid.CompareTo(other.Pid);
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{NodeId}-{Pid}");
    public static bool operator <(MemberId left, MemberId right) => left.CompareTo(right) < 0;
    public static bool operator >(MemberId left, MemberId right) => left.CompareTo(right) > 0;
    public static bool operator <=(MemberId left, MemberId right) => left.CompareTo(right) <= 0;
    public static bool operator >=(MemberId left, MemberId right) => left.CompareTo(right) >= 0;
}

/// <summary>Names one opened view. <see cref="None"/> while no view is open.</summary>
public readonly record struct ViewId(ulong Value)
{
    public static readonly ViewId None;
    public bool IsNone => Value == 0;
    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);
}

/// <summary>What kind of process a member is. Only nodes take part in elections.</summary>
public enum MemberRole : byte { Node, Manager, Other }

/// <summary>Why the bus says a member is gone.</summary>
public enum DepartureReason : byte
{
    /// <summary>It left the group.</summary>
    Leave,
    /// <summary>Its process died; its host lives.</summary>
    ProcessDeath,
    /// <summary>Its host is dead or unreachable; nobody can know which.</summary>
    NodeDown,
}

/// <summary>The rule for node names: 1–63 characters out of lower case letters, digits, hyphen and dot.</summary>
public static class NodeName
{
    public const int MaxLength = 63;

    private static readonly SearchValues<char> Allowed = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-.");

    public static bool IsValid(string? name) =>
        name is { Length: > 0 and <= MaxLength } && !name.AsSpan().ContainsAnyExcept(Allowed);

    /// <summary>True if an operator who types <paramref name="given"/> means <paramref name="name"/>: the name itself, or a host name that equals it up to the first dot.</summary>
    public static bool Matches(string name, string given)
    {
        ArgumentNullException.ThrowIfNull(given);
        if (string.Equals(name, given, StringComparison.OrdinalIgnoreCase))
            return true;
        var dot = given.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && given.AsSpan(0, dot).Equals(name, StringComparison.OrdinalIgnoreCase);
    }
}
