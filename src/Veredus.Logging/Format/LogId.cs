using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;

namespace Veredus.Logging;

/// <summary>A message, batch or connection ID as a log prints it: at most 23 octets of UTF-8, held without allocation.</summary>
/// <remarks>The spool's own identifier type stays out of the log formats; <see cref="From{T}"/> takes any that can print itself.</remarks>
public readonly struct LogId : IEquatable<LogId>
{
    /// <summary>Longest text in octets. The IDs of a node have 20.</summary>
    public const int MaxBytes = 23;

    private readonly Octets _octets;
    private readonly byte _length;

    private LogId(ReadOnlySpan<byte> text)
    {
        text.CopyTo(_octets);
        _length = (byte)text.Length;
    }

    /// <summary>True for the empty field (no connection, own DSN, ...).</summary>
    public bool IsEmpty => _length == 0;

    /// <summary>The text in UTF-8; valid as long as the variable that holds the ID.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Utf8 => ((ReadOnlySpan<byte>)_octets)[.._length];

    /// <summary>Takes the printed form of an identifier.</summary>
    /// <exception cref="ArgumentException">The printed form is longer than <see cref="MaxBytes"/>.</exception>
    public static LogId From<T>(T id) where T : IUtf8SpanFormattable
    {
        Span<byte> text = stackalloc byte[MaxBytes];
        return id.TryFormat(text, out var length, default, null)
            ? new(text[..length])
            : throw new ArgumentException($"The identifier '{id}' is longer than {MaxBytes} octets.", nameof(id));
    }

    /// <summary>Takes an identifier that is already text.</summary>
    /// <exception cref="ArgumentException">Longer than <see cref="MaxBytes"/> octets.</exception>
    public static LogId From(string id) => TryFrom(Encoding.UTF8.GetBytes(id), out var result)
        ? result
        : throw new ArgumentException($"The identifier '{id}' is longer than {MaxBytes} octets.", nameof(id));

    /// <summary>Takes an identifier in UTF-8; <see langword="false"/> when it is longer than <see cref="MaxBytes"/>.</summary>
    public static bool TryFrom(ReadOnlySpan<byte> utf8, out LogId id)
    {
        id = utf8.Length <= MaxBytes ? new(utf8) : default;
        return utf8.Length <= MaxBytes;
    }

    public bool Equals(LogId other) => Utf8.SequenceEqual(other.Utf8);

    public override bool Equals([NotNullWhen(true)] object? obj) => obj is LogId other && Equals(other);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Utf8);
        return hash.ToHashCode();
    }

    public override string ToString() => Encoding.UTF8.GetString(Utf8);

    public static bool operator ==(LogId left, LogId right) => left.Equals(right);

    public static bool operator !=(LogId left, LogId right) => !left.Equals(right);

    [InlineArray(MaxBytes)]
    private struct Octets
    {
        private byte _first;
    }
}
