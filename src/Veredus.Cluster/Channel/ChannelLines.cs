using System.Buffers;
using System.IO.Pipelines;
using System.Text;

namespace Veredus.Cluster;

/// <summary>The few lines that open a point-to-point connection: greeting, request, answer.</summary>
public static class ChannelLines
{
    private const int MaxLine = 512;

    public static string Greeting(string nodeName, Incarnation incarnation) => $"220 {nodeName} ECCluster/1 {incarnation}";

    public static string Request(string service, string nodeName, Incarnation incarnation) => $"SERVICE {service} {nodeName} {incarnation}";

    /// <summary>Reads <c>220 name ECCluster/1 incarnation</c>.</summary>
    public static bool TryReadGreeting(string line, out string nodeName, out Incarnation incarnation)
    {
        var words = line.Split(' ');
        (nodeName, incarnation) = ("", default);
        if (words is not ["220", var name, "ECCluster/1", var run] || !Incarnation.TryParse(run, out incarnation))
            return false;
        nodeName = name;
        return true;
    }

    /// <summary>Reads <c>SERVICE service name incarnation</c>.</summary>
    public static bool TryReadRequest(string line, out string service, out string nodeName, out Incarnation incarnation)
    {
        var words = line.Split(' ');
        (service, nodeName, incarnation) = ("", "", default);
        if (words is not ["SERVICE", var wanted, var name, var run] || !Incarnation.TryParse(run, out incarnation))
            return false;
        (service, nodeName) = (wanted, name);
        return true;
    }

    /// <summary>One line without its CRLF; what follows stays in the pipe.</summary>
    /// <exception cref="InvalidDataException">The connection ended, or the line is longer than 512 octets.</exception>
    internal static async Task<string> ReadAsync(PipeReader input, CancellationToken cancellationToken)
    {
        while (true)
        {
            var read = await input.ReadAsync(cancellationToken);
            if (read.Buffer.PositionOf((byte)'\n') is { } end && read.Buffer.GetOffset(end) - read.Buffer.GetOffset(read.Buffer.Start) < MaxLine)
            {
                var line = Encoding.ASCII.GetString(read.Buffer.Slice(0, end)).TrimEnd('\r');
                input.AdvanceTo(read.Buffer.GetPosition(1, end));
                return line;
            }
            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted || read.Buffer.Length >= MaxLine)
                throw new InvalidDataException(read.IsCompleted ? "the connection ended before a line did" : $"a line of more than {MaxLine} octets");
        }
    }

    internal static async Task WriteAsync(PipeWriter output, string line, CancellationToken cancellationToken)
    {
        Encoding.ASCII.GetBytes($"{line}\r\n", output);
        await output.FlushAsync(cancellationToken);
    }
}
