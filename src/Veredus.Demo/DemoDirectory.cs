using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Veredus.Demo;

/// <summary>What a demo writes down about itself (<c>demo.json</c> in its directory), for <c>demo status</c> and <c>demo down</c>.</summary>
/// <param name="Id">e.g. <c>d7</c>; everything it makes carries it.</param>
/// <param name="ProcessId">The process that the user started; the demo lives as long as it does.</param>
/// <param name="ProcessStart">Its start in clock ticks after boot, so that a later process with its number is not taken for it.</param>
internal sealed record DemoState(string Id, string Isolation, string What, int ProcessId, long ProcessStart, DateTimeOffset Started, DateTimeOffset Stops)
{
    /// <summary>Its root is the machine's root.</summary>
    [JsonIgnore]
    public bool IsRoot => Isolation == Demo.Isolation.NameOf(IsolationKind.NetNs);
}

/// <summary>The directory of one demo, <c>veredus-dN</c> in the directory for temporary files. Nothing else of a demo is on the disk.</summary>
internal sealed partial class DemoDirectory
{
    private const string Prefix = "veredus-d", StateFile = "demo.json";
    private const int MaxDemos = 100;

    private DemoDirectory(string path) => Path = path;

    public string Path { get; }

    public string Id => System.IO.Path.GetFileName(Path)["veredus-".Length..];

    private static string Base => System.IO.Path.GetTempPath() is var temp && (temp.StartsWith("/run/", StringComparison.Ordinal) || temp.StartsWith("/dev/shm/", StringComparison.Ordinal))
        ? "/tmp/" : temp;

    /// <summary>Takes the first free id. Only this user may look inside.</summary>
    public static DemoDirectory Create()
    {
        for (var number = 1; number <= MaxDemos; number++)
        {
            var path = System.IO.Path.Combine(Base, Prefix + number.ToString(CultureInfo.InvariantCulture));
            if (MakeDirectory(path, 0x1C0 /* 0700 */) == 0)
                return new(path);
        }
        throw new IOException($"{Base} has {MaxDemos} directories {Prefix}N already, or can't be written. 'veredus demo down' removes what ended demos left.");
    }

    /// <summary>The one that the launcher made, seen from inside.</summary>
    public static DemoDirectory Of(string path) => new(path);

    /// <summary>All demos of this host that this user can see.</summary>
    public static IReadOnlyList<DemoDirectory> All() =>
        [.. Directory.EnumerateDirectories(Base, Prefix + "*").Where(path => int.TryParse(System.IO.Path.GetFileName(path.AsSpan())[Prefix.Length..], NumberStyles.None, null, out _))
            .Where(CanRead).Order(StringComparer.Ordinal).Select(path => new DemoDirectory(path))];

    public void Write(DemoState state) => File.WriteAllText(System.IO.Path.Combine(Path, StateFile), JsonSerializer.Serialize(state, DemoJson.Default.DemoState) + "\n");

    /// <summary>What stands in the directory; <see langword="null"/> when that is nothing, or not of this program.</summary>
    public DemoState? Read()
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllText(System.IO.Path.Combine(Path, StateFile)), DemoJson.Default.DemoState);
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Whether the process that the user started is still the one that wrote the state, and a demo.</summary>
    public static bool IsAlive(DemoState state)
    {
        try
        {
            return StartOf(state.ProcessId) == state.ProcessStart
                && File.ReadAllText($"/proc/{state.ProcessId}/cmdline").Split('\0') is var words && words.Any(word => word is "demo" or "chaos");
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Start of a process in clock ticks after boot; -1 when there is none.</summary>
    public static long StartOf(int processId)
    {
        try
        {
            // The second field may have blanks, in brackets; the start is the 22nd.
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            return long.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return -1;
        }
    }

    public void Delete()
    {
        if (Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
    }

    private static bool CanRead(string path)
    {
        try
        {
            using var entries = Directory.EnumerateFileSystemEntries(path).GetEnumerator();
            _ = entries.MoveNext();
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MakeDirectory(string path, int mode);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(DemoState))]
internal sealed partial class DemoJson : JsonSerializerContext;
