using System.Globalization;
using System.Text;

namespace Veredus.Delivery;

/// <summary>One <c>trace smtp</c>.</summary>
/// <param name="Binding"><c>*</c>: any.</param>
/// <param name="Domain"><c>*</c>: any.</param>
public sealed record SmtpTrace(int Number, string Binding, string Domain, string File, long Bytes);

/// <summary>Outbound dialogues that operators want to see, written to files under the log directory.</summary>
internal sealed class Traces(string? directory, IDeliveryObserver observer, TimeProvider time) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<(SmtpTrace Trace, FileStream File)> _traces = [];
    private int _numbers;

    /// <returns>The new trace, or <see langword="null"/> with <paramref name="problem"/> set.</returns>
    public SmtpTrace? Add(string binding, string domain, string file, out string problem)
    {
        problem = "";
        if (directory is null)
        {
            problem = "there is no log directory";
            return null;
        }
        var root = Path.GetFullPath(directory);
        var path = Path.GetFullPath(file, root);
        if (!path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            problem = $"'{file}' is not under the log directory '{root}'";
            return null;
        }
        try
        {
            var stream = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.Append,
                Access = FileAccess.Write,
                Share = FileShare.ReadWrite,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead,
            });
            lock (_gate)
            {
                var trace = new SmtpTrace(++_numbers, binding, domain.ToLowerInvariant(), path, stream.Position);
                _traces.Add((trace, stream));
                return trace;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            problem = error.Message;
            return null;
        }
    }

    public IReadOnlyList<SmtpTrace> List()
    {
        lock (_gate)
            return _traces.ConvertAll(entry => entry.Trace with { Bytes = entry.File.Position });
    }

    public bool Remove(int number)
    {
        lock (_gate)
        {
            var at = _traces.FindIndex(entry => entry.Trace.Number == number);
            if (at < 0)
                return false;
            _traces[at].File.Dispose();
            _traces.RemoveAt(at);
            return true;
        }
    }

    /// <summary>Puts the tracing stream in between where a trace fits; usually returns <paramref name="stream"/> itself.</summary>
    public Stream Wrap(Stream stream, string binding, string domain, string connection)
    {
        lock (_gate)
        {
            foreach (var (trace, _) in _traces)
                if ((trace.Binding == "*" || trace.Binding == binding) && (trace.Domain == "*" || trace.Domain == domain))
                    return new TraceStream(stream, this, trace.Number, connection);
            return stream;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            foreach (var (_, file) in _traces)
                file.Dispose();
            _traces.Clear();
        }
    }

    private void Write(int number, string connection, char direction, ReadOnlySpan<byte> octets)
    {
        var text = new StringBuilder();
        foreach (var part in octets.Split((byte)'\n'))
        {
            var line = octets[part];
            if (line.IsEmpty)
                continue;
            text.Append(CultureInfo.InvariantCulture, $"{time.GetUtcNow():HH:mm:ss.fff} {connection} {direction} ");
            foreach (var octet in line.TrimEnd((byte)'\r'))
                _ = octet is >= 0x20 and < 0x7f ? text.Append((char)octet) : text.Append(CultureInfo.InvariantCulture, $"\\x{octet:X2}");
            text.Append('\n');
        }
        lock (_gate)
        {
            var at = _traces.FindIndex(entry => entry.Trace.Number == number);
            if (at < 0)
                return;
            try
            {
                _traces[at].File.Write(Encoding.ASCII.GetBytes(text.ToString()));
                _traces[at].File.Flush();
            }
            catch (IOException error)
            {
                observer.Notice(DeliveryNotice.Trace, $"trace #{number} ended: {error.Message}");
                _traces[at].File.Dispose();
                _traces.RemoveAt(at);
            }
        }
    }

    /// <summary>Writes what passes through. Inside TLS that is ciphertext.</summary>
    private sealed class TraceStream(Stream inner, Traces owner, int number, string connection) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            owner.Write(number, connection, '<', buffer.Span[..read]);
            return read;
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            owner.Write(number, connection, '>', buffer.Span);
            return inner.WriteAsync(buffer, cancellationToken);
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
        public override void Flush() => inner.Flush();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Outbound streams are asynchronous.");
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("Outbound streams are asynchronous.");
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
