using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Veredus.Delivery;

namespace Veredus.Node.Doubts;

/// <summary>A message that another host was given and of which nobody can say whether it took it: it was tried again, and may have come twice.</summary>
/// <param name="Cause">cutOff: the connection ended after the final dot; stopped: this node ended meanwhile; moved: another node was given it and did not come back.</param>
/// <param name="Host">Who may have it; empty: not known any more.</param>
public sealed record Doubt(DateTimeOffset At, string Id, string Cause, string Sender, string Recipient, string Host);

/// <summary>The messages in doubt of the last days, kept over restarts in a file of the spool; one JSON object a line.</summary>
internal sealed class DoubtList
{
    /// <summary>Entries kept; the oldest go.</summary>
    public const int Most = 10_000;

    private const string Name = "deliveries.doubt";

    private static readonly TimeSpan s_keep = TimeSpan.FromDays(7);

    private readonly Lock _gate = new();
    private readonly Queue<Doubt> _doubts = new();
    private readonly string _path;
    private readonly Action<string> _report;
    private int _lines;
    private bool _isFailing;

    private DoubtList(string path, Action<string> report) => (_path, _report) = (path, report);

    /// <summary>Entries since the file was made, or as many as are kept.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _doubts.Count;
        }
    }

    /// <exception cref="IOException">The file cannot be read.</exception>
    public static DoubtList Open(string spoolBase, DateTimeOffset now, Action<string> report)
    {
        var list = new DoubtList(Path.Combine(spoolBase, Name), report);
        if (!File.Exists(list._path))
            return list;
        foreach (var line in File.ReadLines(list._path))
        {
            if (TryRead(line) is { } doubt && doubt.At > now - s_keep)
                list.Keep(doubt);
        }
        list.Rewrite();
        return list;
    }

    /// <summary>The newest last.</summary>
    public IReadOnlyList<Doubt> All()
    {
        lock (_gate)
            return [.. _doubts];
    }

    public void Add(in DoubtEvent doubt) => Add(new Doubt(doubt.Time, doubt.Id.ToString(), doubt.Cause switch
    {
        DoubtCause.CutOff => "cutOff",
        DoubtCause.Stopped => "stopped",
        _ => "moved",
    }, doubt.Envelope?.Sender ?? "", doubt.Envelope?.Recipient ?? "", doubt.Host));

    /// <summary>On return it is in the file: a killed process does not forget it.</summary>
    private void Add(Doubt doubt)
    {
        lock (_gate)
        {
            Keep(doubt);
            try
            {
                File.AppendAllText(_path, Line(doubt));
                _isFailing = false;
                if (++_lines > 2 * Most)
                    Rewrite();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                if (!_isFailing)
                    _report($"{_path} cannot be written: {e.Message}. Messages in doubt are listed until this node stops.");
                _isFailing = true;
            }
        }
    }

    private void Keep(Doubt doubt)
    {
        _doubts.Enqueue(doubt);
        if (_doubts.Count > Most)
            _doubts.Dequeue();
    }

    private void Rewrite()
    {
        try
        {
            var text = new StringBuilder();
            foreach (var doubt in _doubts)
                text.Append(Line(doubt));
            File.WriteAllText(_path + ".new", text.ToString());
            File.Move(_path + ".new", _path, overwrite: true);
            _lines = _doubts.Count;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _report($"{_path} cannot be written anew: {e.Message}. It only grows longer.");
            _lines = 0;
        }
    }

    private static string Line(Doubt doubt) => JsonSerializer.Serialize(doubt, DoubtJson.Default.Doubt) + "\n";

    private static Doubt? TryRead(string line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, DoubtJson.Default.Doubt);
        }
        catch (JsonException)
        {
            return null;  // the last line of a process that was killed
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(Doubt))]
internal sealed partial class DoubtJson : JsonSerializerContext;
