using System.CommandLine;
using System.Security.Cryptography;
using Veredus.CommandLine;
using Veredus.Reception.Auth;
using Veredus.Terminal;

namespace Veredus.Commands;

/// <summary>Files of users: veredus-passwd.</summary>
internal static class UserCommand
{
    private static readonly Option<string> FileOption = new("--file", "-f") { Description = "The file; made when missing (0600)", HelpName = "FILE", Required = true };
    private static readonly Option<string?> Kind = new("--kind") { Description = "scram (for scram://) or pbkdf2 (for file://)", HelpName = "KIND", DefaultValueFactory = _ => "scram" };
    private static readonly Option<bool> PasswordStdin = new("--password-stdin") { Description = "The password is the first line of standard input" };
    private static readonly Option<bool> Remove = new("--remove") { Description = "Removes the user" };
    private static readonly Argument<string> Name = new("NAME") { Description = "The user" };

    public static Command Build(CliHost host)
    {
        Kind.AcceptOnlyFromAmong("scram", "pbkdf2");
        return new("user", "Users of a node")
        {
            CommandTree.Leaf(host, "password", "Sets a user's password in a file (veredus-passwd)",
                ["veredus user password --file /etc/veredus/users.scram ops", "echo secret | veredus user password --file users --kind pbkdf2 --password-stdin app"],
                RunAsync, FileOption, Kind, PasswordStdin, Remove, Name),
        };
    }

    private static async Task<int> RunAsync(Call call, CancellationToken cancellationToken)
    {
        var (path, name) = (call.Parse.GetValue(FileOption)!, call.Parse.GetValue(Name)!);
        if (name.Length == 0 || name.Contains(':', StringComparison.Ordinal) || name.StartsWith('#') || name.Any(char.IsControl))
            throw new CliException(ExitCodes.Usage, $"'{name}' can't be a user's name: no colon, no control character, no '#' in front.");
        try
        {
            var lines = File.Exists(path) ? [.. await File.ReadAllLinesAsync(path, cancellationToken)] : new List<string>();
            var at = lines.FindIndex(line => line.StartsWith(name + ":", StringComparison.Ordinal));
            if (call.Parse.GetValue(Remove))
            {
                if (at < 0)
                    throw new CliException(ExitCodes.NotFound, $"There is no user '{name}' in {path}.");
                lines.RemoveAt(at);
            }
            else
            {
                var entry = $"{name}:{Entry(await PasswordAsync(call, name, cancellationToken), call.Parse.GetValue(Kind)!)}";
                if (at < 0)
                    lines.Add(entry);
                else
                    lines[at] = entry;
            }
            Replace(path, lines);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, exception.Message);
        }
        call.Error.Line($"{path}: {name} {(call.Parse.GetValue(Remove) ? "removed" : "set")}. A running node reads the file at its next 'config reload'.");
        return ExitCodes.Done;
    }

    private static string Entry(string password, string kind)
    {
        var salt = RandomNumberGenerator.GetBytes(16);
        return kind == "pbkdf2" ? StoredPassword.Hash(password, salt) : ScramCredential.Derive(password, salt).ToString();
    }

    private static async Task<string> PasswordAsync(Call call, string name, CancellationToken cancellationToken)
    {
        string? password;
        if (call.Parse.GetValue(PasswordStdin))
            password = await call.Host.In.ReadLineAsync(cancellationToken);
        else if (!call.Host.IsInTerminal)
            throw new CliException(ExitCodes.Usage, "There is no terminal to ask for the password.", "Add --password-stdin and give it as the first line.");
        else if ((password = Secret.Ask($"New password of {name}: ", call.Error)) is not null && Secret.Ask("Once more: ", call.Error) != password)
            throw new CliException(ExitCodes.Failed, "The two are not the same; nothing was changed.");
        return string.IsNullOrEmpty(password) ? throw new CliException(ExitCodes.Failed, "An empty password is none; nothing was changed.") : password;
    }

    /// <summary>Under its name the file is always whole, and never readable by others.</summary>
    private static void Replace(string path, IReadOnlyList<string> lines)
    {
        var mode = File.Exists(path) ? File.GetUnixFileMode(path) : UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var temporary = $"{path}.{Environment.ProcessId}.tmp";
        using (var stream = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode }))
        {
            using var writer = new StreamWriter(stream);
            foreach (var line in lines)
                writer.Write(line + "\n");
            writer.Flush();
            stream.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }
}
