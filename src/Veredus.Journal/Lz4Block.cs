namespace Veredus.Journal;

/// <summary>Raw LZ4 blocks (no frame, no size prefix, no dictionary): decoding, and the literals-only form for writing.</summary>
internal static class Lz4Block
{
    /// <summary>Decodes a block that must give exactly <paramref name="target"/>'s length. Total: <see langword="false"/> for any other bytes.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> source, Span<byte> target)
    {
        int read = 0, written = 0;
        while (read < source.Length)
        {
            var token = source[read++];
            if (!TryLength(source, ref read, token >> 4, out var literals) || literals > source.Length - read || literals > target.Length - written)
                return false;
            source.Slice(read, literals).CopyTo(target[written..]);
            read += literals;
            written += literals;
            if (read == source.Length)
                return written == target.Length;
            if (source.Length - read < 2)
                return false;
            var offset = source[read] | (source[read + 1] << 8);
            read += 2;
            if (offset == 0 || offset > written || !TryLength(source, ref read, token & 15, out var match) || match > target.Length - written - 4)
                return false;
            match += 4;
            for (; match > 0; match--, written++)
                target[written] = target[written - offset];
        }
        return false;
    }

    /// <summary>Octets that <see cref="EncodeLiterals"/> writes for a payload.</summary>
    public static int LiteralsLength(int payload) => 1 + payload + (payload >= 15 ? ((payload - 15) / 255) + 1 : 0);

    /// <summary>Writes a block of literals only: any reader takes it, and nothing is searched for matches.</summary>
    public static void EncodeLiterals(ReadOnlySpan<byte> payload, Span<byte> target)
    {
        var written = 1;
        if (payload.Length < 15)
        {
            target[0] = (byte)(payload.Length << 4);
        }
        else
        {
            target[0] = 0xF0;
            var rest = payload.Length - 15;
            for (; rest >= 255; rest -= 255)
                target[written++] = 255;
            target[written++] = (byte)rest;
        }
        payload.CopyTo(target[written..]);
    }

    private static bool TryLength(ReadOnlySpan<byte> source, ref int read, int nibble, out int length)
    {
        length = nibble;
        if (nibble < 15)
            return true;
        while (read < source.Length)
        {
            var more = source[read++];
            if (length > int.MaxValue - 255)
                return false;
            length += more;
            if (more != 255)
                return true;
        }
        return false;
    }
}
