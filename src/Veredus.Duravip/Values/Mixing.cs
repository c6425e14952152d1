namespace Veredus.Duravip;

/// <summary>64-bit mixing that is the same in every process and release: digests of tables and configurations travel in messages.</summary>
internal static class Mixing
{
    /// <summary>The finaliser of SplitMix64.</summary>
    public static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    public static ulong Combine(ulong seed, ulong value) => Mix(seed + 0x9E3779B97F4A7C15 + Mix(value));

    public static ulong Combine(ulong seed, ReadOnlySpan<char> text)
    {
        var hash = 0xCBF29CE484222325UL;
        foreach (var c in text)
            hash = (hash ^ c) * 0x100000001B3;
        return Combine(Combine(seed, (ulong)text.Length), hash);
    }
}
