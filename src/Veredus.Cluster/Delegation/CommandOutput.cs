using System.Buffers;
using System.Text;

namespace Veredus.Cluster;

/// <summary>What a command on this node answered.</summary>
/// <param name="Code">0, or the console's error code.</param>
/// <param name="Text">Behind the code; one line.</param>
/// <param name="Body">Lines, each ended by LF; UTF-8.</param>
public sealed record CommandOutput(int Code, string Text, ReadOnlyMemory<byte> Body = default)
{
    /// <summary>Collects lines up to <see cref="DelegationLimits.MaxOutputBytes"/>; what follows is not even produced, and the answer becomes an error that says so.</summary>
    public static CommandOutput Collect(int code, string text, IEnumerable<string> lines, CancellationToken cancellationToken)
    {
        var body = new ArrayBufferWriter<byte>();
        foreach (var line in lines)
        {
            cancellationToken.ThrowIfCancellationRequested();
            // No more than a line is taken beyond what may be kept; a line itself can be long.
            if (body.WrittenCount + Encoding.UTF8.GetByteCount(line) + 1 > DelegationLimits.MaxOutputBytes)
                return new(DelegationCodes.TooLarge, TooLarge(DelegationLimits.MaxOutputBytes, "ask the node itself for all of it"), body.WrittenMemory);
            Encoding.UTF8.GetBytes(line, body);
            body.Write("\n"u8);
        }
        return new(code, text, body.WrittenMemory);
    }

    /// <summary>The same, with as many whole lines as fit into <paramref name="bytes"/>; an error if that is not all.</summary>
    public CommandOutput CutTo(int bytes, string because) => Body.Length <= bytes ? this
        : new(DelegationCodes.TooLarge, TooLarge(bytes, because), Body[..(Body.Span[..bytes].LastIndexOf((byte)'\n') + 1)]);

    private static string TooLarge(int bytes, string hint) => $"the output is larger than {bytes / (1024 * 1024)} MB and was cut there; {hint}";
}
