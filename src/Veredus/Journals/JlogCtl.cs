using System.Globalization;
using Veredus.Journal;
using Veredus.Logging;

namespace Veredus.Journals;

/// <summary><c>jlogctl</c> in the classic form: <c>jlogctl [options] PATH...</c>, and the newer one with sub-commands and <c>-j PATH</c> (jlog-format.md 22).</summary>
internal sealed class JlogCtl(TextWriter output, TextWriter error)
{
    public const string Usage = """
        usage: jlogctl [options] PATH...
          -a SUB  add a subscriber         -e SUB  erase a subscriber       -p SUB  a subscriber's view
          -u SUB -C ID  set a checkpoint   -s      list subscribers         -l      list segments (-i: with index)
          -i      index information        -d      analyse segments         -r      analyse and repair
          -R      repair the directory     -c      delete what nobody needs -v      verbose
        or: jlogctl [-j PATH] subscriber [-l|-a SUB|-e SUB|-p SUB|-u SUB -C ID] | clean | data [-i|-d|-r] | meta [-c|-f|-l|-m|-p|-s]
            | repair [-f] | create [-s SIZE] | alter [-s SIZE]
        Repairs are refused while a process has the journal open.
        """;

    private static readonly string[] Commands = ["subscriber", "clean", "data", "meta", "repair", "create", "alter", "help"];

    private readonly Dictionary<char, string> _options = [];
    private readonly List<string> _words = [];
    private string _command = "";
    private int _exitCode;

    /// <returns>0 done, 1 failed, 2 wrong usage.</returns>
    public int Run(IReadOnlyList<string> arguments)
    {
        if (!Parse(arguments))
            return 2;
        var isNew = _command.Length > 0;
        var paths = isNew ? [_options.GetValueOrDefault('j', ".")] : _words;
        if (_command == "help" || paths.Count == 0)
        {
            (_command == "help" ? output : error).WriteLine(Usage);
            return _command == "help" ? 0 : 2;
        }
        foreach (var path in paths)
        {
            if (!isNew)
                output.WriteLine(SafeText.Visible(path));
            try
            {
                if (isNew)
                    RunCommand(path);
                else
                    RunLetters(path);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
            {
                Fail(failure.Message);
            }
        }
        return _exitCode;
    }

    private bool Parse(IReadOnlyList<string> arguments)
    {
        for (var at = 0; at < arguments.Count; at++)
        {
            var word = arguments[at];
            if (word.Length < 2 || word[0] != '-')
            {
                if (_command.Length == 0 && _words.Count == 0 && Commands.Contains(word) && !Directory.Exists(word))
                    _command = word;
                else
                    _words.Add(word);
                continue;
            }
            for (var letter = 1; letter < word.Length; letter++)
            {
                var c = word[letter];
                if (!"acdeijlmprsvuCRf".Contains(c, StringComparison.Ordinal))
                    return Wrong($"-{c} is not known");
                if (!TakesValue(c))
                {
                    _options[c] = "";
                    continue;
                }
                var value = letter + 1 < word.Length ? word[(letter + 1)..] : ++at < arguments.Count ? arguments[at] : null;
                if (value is null)
                    return Wrong($"-{c} wants a value");
                _options[c] = value;
                break;
            }
        }
        return _command.Length == 0 || _words.Count == 0 || Wrong($"'{_words[0]}' is one word too many");
    }

    private bool TakesValue(char option) => option switch
    {
        'a' or 'e' or 'u' or 'C' or 'j' => true,
        'p' => _command is "" or "subscriber" or "create" or "alter",
        's' => _command is "create" or "alter",
        _ => false,
    };

    private bool Wrong(string why)
    {
        error.WriteLine($"jlogctl: {why}");
        error.WriteLine(Usage);
        return false;
    }

    private bool Has(char option) => _options.ContainsKey(option);

    private void RunLetters(string path)
    {
        Subscribers(path);
        if (Has('s'))
            List(path);
        if (Has('c'))
            JournalDirectory.Clean(path);
        if (Has('l') || Has('i'))
            Segments(path);
        if (Has('d') || Has('r'))
            Analyse(path);
        if (Has('R'))
            RepairDirectory(path);
    }

    private void RunCommand(string path)
    {
        switch (_command)
        {
            case "subscriber":
                Subscribers(path);
                if (_options.Keys.All(option => option is 'l' or 'v' or 'j'))
                    List(path);
                break;
            case "clean":
                JournalDirectory.Clean(path);
                break;
            case "data":
                Segments(path);
                if (Has('d') || Has('r'))
                    Analyse(path);
                break;
            case "meta":
                Meta(path);
                break;
            case "repair":
                RepairDirectory(path);
                break;
            case "create":
                JournalDirectory.Create(path, Has('s') ? Size() : 4 << 20);
                break;
            default:
                if (!Has('s'))
                    throw new ArgumentException("alter wants -s SIZE; compression and the pre-commit buffer are fixed here");
                JournalDirectory.Change(path, unitLimit: Size());
                break;
        }
    }

    private uint Size() => uint.TryParse(_options['s'], NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size > 0
        ? size : throw new ArgumentException($"'{_options['s']}' is no segment size; 1 to 4294967295 octets are");

    private void Subscribers(string path)
    {
        if (_options.TryGetValue('a', out var added))
            output.WriteLine($"Added subscriber '{SafeText.Visible(added)}' -> {JournalDirectory.AddSubscriber(path, added)}");
        if (_options.TryGetValue('u', out var updated))
            Update(path, updated);
        if (_options.TryGetValue('e', out var erased))
        {
            if (JournalDirectory.RemoveSubscriber(path, erased))
                output.WriteLine($"Erased subscriber '{SafeText.Visible(erased)}'");
            else
                Fail($"'{path}' has no subscriber '{erased}'");
        }
        if (_options.TryGetValue('p', out var shown))
            Perspective(path, shown);
    }

    private void Update(string path, string subscriber)
    {
        var old = Position(path, subscriber);
        if (!_options.TryGetValue('C', out var text))
        {
            output.WriteLine($"\t{SafeText.Visible(subscriber),32} @ {old}");
            return;
        }
        if (!RecordId.TryParse(text, out var id))
            throw new ArgumentException($"'{text}' is no id; write eight hex digits, a colon and eight hex digits");
        JournalDirectory.SetCheckpoint(path, subscriber, id);
        output.WriteLine($"Updated subscriber '{SafeText.Visible(subscriber)}' {old} -> {id}");
    }

    private static RecordId Position(string path, string subscriber)
    {
        using var reader = JournalReader.Open(path, subscriber);
        return reader.Position;
    }

    private void List(string path)
    {
        foreach (var (subscriber, position) in JournalDirectory.Subscribers(path))
            output.WriteLine($"\t{SafeText.Visible(subscriber),32} @ {position?.ToString() ?? "damaged"}");
    }

    private void Segments(string path)
    {
        foreach (var segment in JournalDirectory.Segments(path))
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\t{segment.Number:x8} [{segment.Bytes,9} bytes] {segment.PendingReaders} pending readers"));
            if (Has('i'))
            {
                output.WriteLine(segment.IndexedRecords < 0 ? "\t\t idx: none"
                    : string.Create(CultureInfo.InvariantCulture, $"\t\t idx: {segment.IndexedRecords} messages ({segment.IndexedRecords:x8}), {(segment.Closed ? "closed" : "open")}"));
            }
        }
    }

    private void Perspective(string path, string subscriber)
    {
        using var reader = JournalReader.Open(path, subscriber);
        var (position, last, next) = (reader.Position, reader.Last, reader.ReadAfter(reader.Position));
        output.WriteLine("--------------------");
        output.WriteLine($"  Perspective of the '{SafeText.Visible(subscriber)}' subscriber");
        output.WriteLine($"    current checkpoint: {position}");
        output.WriteLine($"Last write: {last}");
        output.WriteLine($"\t     next interval: [{next.First}, {next.Last}]");
        output.WriteLine("--------------------");
    }

    private void Analyse(string path)
    {
        var damaged = false;
        foreach (var segment in JournalDirectory.Segments(path))
        {
            foreach (var step in JournalInspection.Walk(path, segment.Number))
            {
                damaged |= step.Kind != InspectedKind.Record;
                if (Describe(step) is { } line)
                    error.WriteLine(line);
            }
        }
        if (!damaged)
            return;
        error.WriteLine("One or more errors were found.");
        if (!Has('r'))
            _exitCode = 1;
        else
            Repair(path);
    }

    private string? Describe(Inspected step) => step.Kind switch
    {
        InspectedKind.OffTheEnd => string.Create(CultureInfo.InvariantCulture, $"Message {step.Number} at [{step.Offset}] of ({step.HeaderBytes}+{step.StoredBytes}) OFF THE END!"),
        InspectedKind.WrongMagic => string.Create(CultureInfo.InvariantCulture, $"Message {step.Number} at [{step.Offset}] has invalid reserved value {step.Magic}"),
        InspectedKind.Junk => string.Create(CultureInfo.InvariantCulture, $"{step.StoredBytes} bytes of junk at the end"),
        _ => Has('v') ? string.Create(CultureInfo.InvariantCulture, $"Message {step.Number} at [{step.Offset}] of ({step.HeaderBytes}+{step.StoredBytes})") : null,
    };

    private void RepairDirectory(string path)
    {
        if (!Has('f') && _command == "repair" && JournalDirectory.Repair(path, dryRun: true).Damage.Count > 0)
            error.WriteLine("Segments are damaged too; -f repairs them.");
        Repair(path);
    }

    private void Repair(string path)
    {
        JournalUse.RefuseIfInUse(path);
        var report = JournalDirectory.Repair(path);
        foreach (var (segment, ranges) in report.Damage)
        {
            error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{segment:x8}: {ranges.Sum(range => range.Length)} bytes taken out and kept beside the journal. Log file reconstructed, deleting the corresponding idx file."));
        }
        foreach (var (subscriber, old, now) in report.Checkpoints)
            error.WriteLine($"checkpoint of '{SafeText.Visible(subscriber)}' {old?.ToString() ?? "damaged"} -> {now}");
        if (report.MetastoreRewritten)
            error.WriteLine("metastore rewritten");
    }

    private void Meta(string path)
    {
        var settings = JournalDirectory.Settings(path);
        (char Letter, string Name, string Value)[] rows =
        [
            ('m', "magic", settings.Magic.ToString("x8", CultureInfo.InvariantCulture)),
            ('l', "storagelog", settings.ActiveSegment.ToString("x8", CultureInfo.InvariantCulture)),
            ('c', "compression", !settings.IsCompressed ? "off" : (settings.Magic & 0xff) == 0 ? "on" : "lz4"),
            ('f', "safety", settings.Safety switch { JournalSafety.Unsafe => "unsafe", JournalSafety.Safe => "safe", _ => "metasafe" }),
            ('p', "precommit", JournalDirectory.PreCommitCapacity(path).ToString(CultureInfo.InvariantCulture)),
            ('s', "segmentsize", settings.UnitLimit.ToString(CultureInfo.InvariantCulture)),
        ];
        if (rows.FirstOrDefault(row => Has(row.Letter)) is { Name: { } } one)
            output.WriteLine(one.Value);
        else
            Array.ForEach(rows, row => output.WriteLine($"{row.Name,-14} {row.Value}"));
    }

    private void Fail(string why)
    {
        error.WriteLine($"jlogctl: {SafeText.Visible(why)}");
        _exitCode = 1;
    }
}
